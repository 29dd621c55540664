//! The header of a scan, and the walk over its blocks.

use super::bits::Bits;
use super::frame::Frame;
use super::huffman::{Ac, Dc};
use super::segments::{Segments, Tables};
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
    /// In groups; 0 for none.
    restart_interval: u16,
    /// How many groups the scan is wide and high.
    groups: (usize, usize),
}

/// A component of a scan.
pub(super) struct ScanComponent {
    /// Which of the frame's.
    pub(super) index: usize,
    pub(super) dc: Option<Dc>,
    pub(super) ac: Option<Ac>,
    /// Blocks per group of this scan, across and down.
    sampling: (usize, usize),
}

/// What is done with the blocks of a scan.
pub(super) trait Visitor {
    /// Reads a block of the `component`th component of the scan.
    fn block(&mut self, bits: &mut Bits, component: usize, column: usize, row: usize);

    /// Forgets what was carried over from block to block.
    fn restart(&mut self);
}

impl Scan {
    /// Reads the header (T.81, B.2.3), makes its codes ready, and gives the frame's components the
    /// quantization that is in force.
    pub(super) fn read(
        payload: &[u8],
        frame: &mut Frame,
        tables: &Tables,
        progressive: bool,
    ) -> Result<Self, Rejected> {
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
            let dc = tables.dc.get(usize::from(selected >> 4)).and_then(Option::as_ref);
            let ac = tables.ac.get(usize::from(selected & 15)).and_then(Option::as_ref);
            components.push(ScanComponent {
                index,
                dc: if lowest_begins { Some(Dc::new(dc.ok_or(Rejected::Damaged)?)?) } else { None },
                ac: if others { Some(Ac::new(ac.ok_or(Rejected::Damaged)?)?) } else { None },
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
            restart_interval: tables.restart_interval,
            groups,
        })
    }

    /// Visits every block of the scan, in the order of the file.
    ///
    /// # Errors
    /// The data ends too early.
    pub(super) fn walk(&self, segments: &mut Segments, visitor: &mut impl Visitor) -> Result<(), Rejected> {
        let mut bits = Bits::new(segments.rest());
        let mut until_restart = self.restart_interval;
        for group_row in 0..self.groups.1 {
            for group_column in 0..self.groups.0 {
                if self.restart_interval != 0 {
                    if until_restart == 0 {
                        if bits.overran() || !bits.restart() {
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
                            visitor.block(&mut bits, component, column, row);
                        }
                    }
                }
            }
            if bits.overran() {
                return Err(Rejected::Damaged);
            }
        }
        segments.skip(bits.position());
        Ok(())
    }
}
