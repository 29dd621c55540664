//! The header of a scan, and the walk over its blocks.

use super::frame::Frame;
use super::huffman::{Ac, Dc};
use super::segments::{Conditioning, Segments, Tables};
use crate::Rejected;

/// One pass over the picture, or over a component of it.
pub(super) struct Scan {
    pub(super) components: Vec<ScanComponent>,
    /// The places of the first and the last frequency that it holds, in the order of the file.
    pub(super) first: u32,
    pub(super) last: u32,
    /// The bits of a value that it adds: down to this one,
    pub(super) low: u32,
    /// on top of what an earlier scan gave.
    pub(super) refines: bool,
    pub(super) arithmetic: bool,
    /// In groups; 0 for none.
    restart_interval: u16,
    /// How many groups the scan is wide and high.
    groups: (usize, usize),
}

/// How the scans of a frame are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Coding {
    pub(super) progressive: bool,
    /// Instead of Huffman codes.
    pub(super) arithmetic: bool,
}

/// A component of a scan.
pub(super) struct ScanComponent {
    /// Which of the frame's.
    pub(super) index: usize,
    pub(super) dc: Option<Dc>,
    pub(super) ac: Option<Ac>,
    /// The numbers of the tables that an arithmetic coder's contexts go by, and how it chooses among them.
    pub(super) tables: (usize, usize),
    pub(super) conditioning: (Conditioning, Conditioning),
    /// Blocks per group of this scan, across and down.
    sampling: (usize, usize),
}

/// The coded data of a scan, up to the next marker.
pub(super) trait Coded<'a> {
    fn new(data: &'a [u8]) -> Self;

    /// Whether the data was at its end before what was read from it was, or makes no sense.
    fn overran(&self) -> bool;

    /// Goes on behind the next restart marker, which must be where the data is. `false` when there is none.
    fn restart(&mut self) -> bool;

    /// How many bytes have been read, some of them perhaps not used.
    fn position(&self) -> usize;
}

/// What is done with the blocks of a scan.
pub(super) trait Visitor<C> {
    /// Reads a block of the `component`th component of the scan.
    fn block(&mut self, coded: &mut C, component: usize, column: usize, row: usize);

    /// Forgets what was carried over from block to block.
    fn restart(&mut self);
}

impl Scan {
    /// Reads the header (T.81, B.2.3), makes its codes ready, and gives the frame's components the
    /// quantization that is in force.
    pub(super) fn read(payload: &[u8], frame: &mut Frame, tables: &Tables, coding: Coding) -> Result<Self, Rejected> {
        let progressive = coding.progressive;
        let (&count, rest) = payload.split_first().ok_or(Rejected::Damaged)?;
        let (selectors, parameters) = rest.split_at_checked(usize::from(count) * 2).ok_or(Rejected::Damaged)?;
        let &[first, last, approximation, ..] = parameters else { return Err(Rejected::Damaged) };
        let (high, low) = (approximation >> 4, approximation & 15);
        // What the values of a scan mean in a sequential file is fixed, whatever the header says.
        let (first, last, high, low) = if progressive { (first, last, high, low) } else { (0, 63, 0, 0) };
        let alone = count == 1;
        let valid = first <= last && last <= 63 && low <= 13 && (1..=4).contains(&count);
        // In a progressive file the lowest frequency comes by itself, and the others component by component.
        if !valid || (progressive && if first == 0 { last != 0 } else { !alone }) {
            return Err(Rejected::Damaged);
        }
        let refines = high != 0;
        let lowest_begins = first == 0 && !refines;
        let others = last != 0;

        let mut components: Vec<ScanComponent> = Vec::with_capacity(4);
        for &[id, selected] in selectors.as_chunks::<2>().0 {
            let index = frame.components.iter().position(|component| component.id == id).ok_or(Rejected::Damaged)?;
            if components.iter().any(|component| component.index == index) {
                return Err(Rejected::Damaged);
            }
            let component = &mut frame.components[index];
            if component.steps.is_none() {
                component.steps = tables.quantization[component.table];
            }
            if component.steps.is_none() || (!progressive && component.complete) {
                return Err(Rejected::Damaged);
            }
            let (dc, ac) = (usize::from(selected >> 4), usize::from(selected & 15));
            let conditioning = |of: &[Conditioning; 4], number: usize| of.get(number).copied().ok_or(Rejected::Damaged);
            let dc_spec = || tables.dc.get(dc).and_then(Option::as_ref).ok_or(Rejected::Damaged);
            let ac_spec = || tables.ac.get(ac).and_then(Option::as_ref).ok_or(Rejected::Damaged);
            components.push(ScanComponent {
                index,
                dc: if lowest_begins && !coding.arithmetic { Some(Dc::new(dc_spec()?)?) } else { None },
                ac: if others && !coding.arithmetic { Some(Ac::new(ac_spec()?)?) } else { None },
                tables: (dc, ac),
                conditioning: if coding.arithmetic {
                    (conditioning(&tables.dc_conditioning, dc)?, conditioning(&tables.ac_conditioning, ac)?)
                } else {
                    Default::default()
                },
                // A component alone has no groups, so none that are filled up with blocks beyond the edge.
                sampling: if alone { (1, 1) } else { component.sampling },
            });
        }
        let groups = match &components[..] {
            [alone] => frame.components[alone.index].blocks,
            _ => frame.groups,
        };
        Ok(Self {
            components,
            first: u32::from(first),
            last: u32::from(last),
            low: u32::from(low),
            refines,
            arithmetic: coding.arithmetic,
            restart_interval: tables.restart_interval,
            groups,
        })
    }

    /// How many blocks it visits.
    pub(super) fn blocks(&self) -> usize {
        let in_group: usize = self.components.iter().map(|component| component.sampling.0 * component.sampling.1).sum();
        self.groups.0 * self.groups.1 * in_group
    }

    /// Visits every block of the scan, in the order of the file.
    ///
    /// # Errors
    /// The data ends too early.
    pub(super) fn walk<'a, C: Coded<'a>>(
        &self,
        segments: &mut Segments<'a>,
        visitor: &mut impl Visitor<C>,
    ) -> Result<(), Rejected> {
        let mut coded = C::new(segments.rest());
        let mut until_restart = self.restart_interval;
        for group_row in 0..self.groups.1 {
            for group_column in 0..self.groups.0 {
                if self.restart_interval != 0 {
                    if until_restart == 0 {
                        if coded.overran() || !coded.restart() {
                            return Err(Rejected::Damaged);
                        }
                        visitor.restart();
                        until_restart = self.restart_interval;
                    }
                    until_restart -= 1;
                }
                for (component, ScanComponent { sampling: (across, down), .. }) in self.components.iter().enumerate() {
                    for row in group_row * down..(group_row + 1) * down {
                        for column in group_column * across..(group_column + 1) * across {
                            visitor.block(&mut coded, component, column, row);
                        }
                    }
                }
            }
            if coded.overran() {
                return Err(Rejected::Damaged);
            }
        }
        segments.skip(coded.position());
        Ok(())
    }
}
