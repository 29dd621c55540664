//! Progressive scans: each adds some frequencies, or some bits of them, to every block.
//!
//! Only the frequencies that the samples are made of are held, of the blocks that are wanted. Of all
//! others one bit is: whether the value is zero, which later scans are coded by.

use super::arithmetic::{AcContexts, Contexts, Decisions};
use super::bits::Bits;
use super::frame::{Component, Frame};
use super::huffman::{Ac, Dc};
use super::inverse::{Inverse, NOWHERE};
use super::scan::{Scan, ScanComponent, Visitor};
use super::segments::Segments;
use crate::Rejected;

/// What the scans so far have given.
pub(super) struct Progressive {
    components: Vec<Values>,
}

/// The frequencies of one component.
struct Values {
    /// Per block of the picture, one bit per place in the file: whether the value is not zero. Empty when
    /// only the lowest frequency is needed.
    nonzero: Vec<u64>,
    /// Blocks per row of `nonzero`.
    across: usize,
    /// The needed values of the wanted blocks.
    kept: Vec<i16>,
    /// By place in the file: down to which bit its values are known. None is known of what no scan gave.
    known: [Option<u32>; 64],
}

impl Values {
    fn new(component: &Component) -> Self {
        let output = &component.output;
        let (across, down) = component.blocks;
        let needs_bits = output.inverse.last > 0;
        Self {
            nonzero: if needs_bits { vec![0; across * down] } else { Vec::new() },
            across,
            kept: vec![0; output.columns.len() * output.rows.len() * output.inverse.area()],
            known: [None; 64],
        }
    }
}

/// The kept values of a block, if it is wanted.
fn kept<'a>(values: &'a mut [i16], component: &Component, column: usize, row: usize) -> Option<&'a mut [i16]> {
    let output = &component.output;
    let area = output.inverse.area();
    if !output.wants(column, row) {
        return None;
    }
    let block = (row - output.rows.start) * output.columns.len() + column - output.columns.start;
    values.get_mut(block * area..(block + 1) * area)
}

impl Progressive {
    pub(super) fn new(frame: &Frame) -> Self {
        Self { components: frame.components.iter().map(Values::new).collect() }
    }

    /// Whether every bit of every value is known, so that no scan can follow.
    pub(super) fn is_complete(&self) -> bool {
        self.components.iter().all(|values| values.known == [Some(0); 64])
    }

    /// Reads a scan.
    pub(super) fn read(&mut self, scan: &Scan, frame: &mut Frame, segments: &mut Segments) -> Result<(), Rejected> {
        for component in &scan.components {
            self.components[component.index].known[scan.first as usize..=scan.last as usize].fill(Some(scan.low));
        }
        if scan.first == 0 {
            let mut lowest = LowestVisitor {
                scan,
                frame: &frame.components,
                values: &mut self.components,
                levels: [0; 4],
                classes: [0; 4],
                contexts: Contexts::default(),
            };
            if scan.arithmetic {
                scan.walk::<Decisions>(segments, &mut lowest)?;
            } else {
                scan.walk::<Bits>(segments, &mut lowest)?;
            }
            for component in &scan.components {
                frame.components[component.index].complete = true;
            }
            return Ok(());
        }
        let [component] = &scan.components[..] else { return Err(Rejected::Damaged) };
        let values = &mut self.components[component.index];
        let frame = &frame.components[component.index];
        if values.nonzero.is_empty() {
            // None of it is needed: what follows starts at the next marker.
            return Ok(());
        }
        if scan.arithmetic {
            return scan.walk(segments, &mut ArithmeticBand { scan, frame, values, contexts: Contexts::default() });
        }
        let ac = component.ac.as_ref().ok_or(Rejected::Damaged)?;
        scan.walk(segments, &mut Band { scan, ac, frame, values, empty_blocks: 0 })
    }

    /// Turns all blocks into samples.
    pub(super) fn finish(self, frame: &mut Frame) {
        for (component, values) in frame.components.iter_mut().zip(self.components) {
            let Some(steps) = component.steps else { continue };
            let output = &mut component.output;
            let area = output.inverse.area();
            let mut step_of_slot = [0.0; 128];
            for (&slot, &step) in output.inverse.slots.iter().zip(&steps) {
                if slot != NOWHERE {
                    step_of_slot[usize::from(slot)] = f32::from(step);
                }
            }
            let mut frequencies = [0.0; 128];
            let mut blocks = values.kept.chunks_exact(area);
            for row in output.rows.clone() {
                for (column, block) in output.columns.clone().zip(&mut blocks) {
                    for ((frequency, &value), &step) in frequencies.iter_mut().zip(block).zip(&step_of_slot) {
                        *frequency = f32::from(value) * step;
                    }
                    output.put(column, row, &frequencies);
                }
            }
        }
    }
}

/// The lowest frequency: its first scan is coded like that of a sequential file, each later one adds a bit.
struct LowestVisitor<'a> {
    scan: &'a Scan,
    frame: &'a [Component],
    values: &'a mut [Values],
    levels: [i32; 4],
    /// Of arithmetic coding alone: how large the last differences were.
    classes: [usize; 4],
    contexts: Contexts,
}

impl LowestVisitor<'_> {
    /// Takes a difference to the block before, or one more bit.
    #[inline]
    fn put(&mut self, component: usize, (column, row): (usize, usize), next: i32) {
        let index = self.scan.components[component].index;
        let (low, refines) = (self.scan.low, self.scan.refines);
        let value = if refines {
            next << low
        } else {
            let level = &mut self.levels[component & 3];
            *level = level.wrapping_add(next);
            *level << low
        };
        if let Some([lowest, ..]) = kept(&mut self.values[index].kept, &self.frame[index], column, row) {
            *lowest = if refines { *lowest | value as i16 } else { value as i16 };
        }
    }
}

impl Visitor<Bits<'_>> for LowestVisitor<'_> {
    #[inline]
    fn block(&mut self, bits: &mut Bits, component: usize, column: usize, row: usize) {
        let dc: Option<&Dc> = self.scan.components[component].dc.as_ref();
        let next = if let Some(dc) = dc { dc.difference(bits) } else { bits.take(1) };
        self.put(component, (column, row), next);
    }

    fn restart(&mut self) {
        self.levels = [0; 4];
    }
}

impl Visitor<Decisions<'_>> for LowestVisitor<'_> {
    fn block(&mut self, decisions: &mut Decisions, component: usize, column: usize, row: usize) {
        let next = if self.scan.refines {
            i32::from(decisions.even())
        } else {
            let ScanComponent { tables, conditioning, .. } = &self.scan.components[component];
            self.contexts.dc[tables.0].difference(decisions, conditioning.0, &mut self.classes[component & 3])
        };
        self.put(component, (column, row), next);
    }

    fn restart(&mut self) {
        (self.levels, self.classes, self.contexts) = ([0; 4], [0; 4], Contexts::default());
    }
}

/// A band of the other frequencies of one component (T.81, G.1.2.2 and G.1.2.3).
struct Band<'a> {
    scan: &'a Scan,
    ac: &'a Ac,
    frame: &'a Component,
    values: &'a mut Values,
    /// How many blocks from here on get no new value.
    empty_blocks: u32,
}

impl Visitor<Bits<'_>> for Band<'_> {
    #[inline]
    fn block(&mut self, bits: &mut Bits, _component: usize, column: usize, row: usize) {
        let Some(block) = Block::new(self.values, self.frame, column, row) else { return };
        if self.scan.refines {
            block.refine(bits, self.ac, self.scan, &mut self.empty_blocks);
        } else {
            block.begin(bits, self.ac, self.scan, &mut self.empty_blocks);
        }
    }

    fn restart(&mut self) {
        self.empty_blocks = 0;
    }
}

/// The same of arithmetic coding (T.81, G.1.3.2 and G.1.3.3).
struct ArithmeticBand<'a> {
    scan: &'a Scan,
    frame: &'a Component,
    values: &'a mut Values,
    contexts: Contexts,
}

impl Visitor<Decisions<'_>> for ArithmeticBand<'_> {
    fn block(&mut self, decisions: &mut Decisions, component: usize, column: usize, row: usize) {
        let Some(mut block) = Block::new(self.values, self.frame, column, row) else { return };
        let ScanComponent { tables, conditioning, .. } = &self.scan.components[component];
        let contexts = &mut self.contexts.ac[tables.1];
        if self.scan.refines {
            block.refine_arithmetic(decisions, contexts, self.scan);
        } else {
            let (band, low) = ((self.scan.first, self.scan.last), self.scan.low);
            contexts.values(decisions, conditioning.1, band, |place, value| block.set(place, value << low));
        }
    }

    fn restart(&mut self) {
        self.contexts = Contexts::default();
    }
}

struct Block<'a> {
    nonzero: &'a mut u64,
    kept: Option<&'a mut [i16]>,
    inverse: &'a Inverse,
}

impl<'a> Block<'a> {
    #[inline]
    fn new(values: &'a mut Values, component: &'a Component, column: usize, row: usize) -> Option<Self> {
        let nonzero = values.nonzero.get_mut(row * values.across + column)?;
        Some(Self { nonzero, kept: kept(&mut values.kept, component, column, row), inverse: &component.output.inverse })
    }
}

impl Block<'_> {
    fn set(&mut self, place: u32, value: i32) {
        *self.nonzero |= 1 << (place & 63);
        if let Some(kept) = self.value(place) {
            *kept = value as i16;
        }
    }

    fn value(&mut self, place: u32) -> Option<&mut i16> {
        let slot = self.inverse.slots[(place & 127) as usize];
        self.kept.as_mut()?.get_mut(usize::from(slot))
    }

    /// The first scan of a band.
    #[inline]
    fn begin(mut self, bits: &mut Bits, ac: &Ac, scan: &Scan, empty_blocks: &mut u32) {
        if *empty_blocks > 0 {
            *empty_blocks -= 1;
            return;
        }
        let mut place = scan.first;
        while place <= scan.last {
            bits.ensure(32);
            let symbol = ac.codes.symbol(bits);
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if run < 15 {
                    *empty_blocks = (1 << run) - 1 + bits.take(run) as u32;
                    return;
                }
                place += 16;
                continue;
            }
            place += run;
            let value = bits.take_signed(size);
            if place > 63 {
                bits.invalidate();
                return;
            }
            self.set(place, value << scan.low);
            place += 1;
        }
    }

    /// A later scan of a band: one more bit of each value, and values that were zero before.
    #[inline]
    fn refine(mut self, bits: &mut Bits, ac: &Ac, scan: &Scan, empty_blocks: &mut u32) {
        let mut place = scan.first;
        if *empty_blocks == 0 {
            while place <= scan.last {
                bits.ensure(32);
                let symbol = ac.codes.symbol(bits);
                let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
                if size == 0 && run < 15 {
                    *empty_blocks = (1 << run) + bits.take(run) as u32;
                    break;
                }
                let new = if size == 0 {
                    None
                } else if bits.take(1) == 1 {
                    Some(1 << scan.low)
                } else {
                    Some(-1 << scan.low)
                };
                place = self.refine_until(bits, scan, place, run);
                if let Some(new) = new.filter(|_| place <= scan.last) {
                    self.set(place, new);
                }
                place += 1;
            }
        }
        if *empty_blocks > 0 {
            *empty_blocks -= 1;
            self.refine_until(bits, scan, place, u32::MAX);
        }
    }

    /// Reads a bit for each value that is not zero, and steps over `zeros` that are. Returns the place of
    /// the zero after those, or one beyond the band.
    #[inline]
    fn refine_until(&mut self, bits: &mut Bits, scan: &Scan, mut place: u32, mut zeros: u32) -> u32 {
        let end = scan.last + 1;
        while place < end {
            let ahead = *self.nonzero >> place;
            let gap = ahead.trailing_zeros().min(end - place);
            if gap > zeros {
                return place + zeros;
            }
            zeros -= gap;
            place += gap;
            let values = (ahead >> (gap & 63)).trailing_ones().min(end - place);
            self.refine_values(bits, scan.low, place, values);
            place += values;
        }
        place
    }

    fn refine_arithmetic(&mut self, decisions: &mut Decisions, contexts: &mut AcContexts, scan: &Scan) {
        let band = (!0 >> (63 - scan.last)) & (!0 << scan.first);
        // Up to the last value that is not zero the block cannot end.
        let known_end = 64 - (*self.nonzero & band).leading_zeros();
        let mut place = scan.first;
        while place <= scan.last {
            if place >= known_end && contexts.ends(decisions, place) {
                return;
            }
            loop {
                if *self.nonzero >> place & 1 == 1 {
                    let grows = contexts.grows(decisions, place);
                    self.refine_value(scan.low, place, grows);
                    break;
                }
                if contexts.appears(decisions, place) {
                    let sign = if decisions.even() { -1 } else { 1 };
                    self.set(place, sign << scan.low);
                    break;
                }
                place += 1;
                if place > scan.last {
                    decisions.invalidate();
                    return;
                }
            }
            place += 1;
        }
    }

    #[inline]
    fn refine_value(&mut self, low: u32, place: u32, grows: bool) {
        if let Some(value) = self.value(place).filter(|_| grows) {
            let bit = 1 << low;
            if *value & bit == 0 {
                *value = value.wrapping_add(if *value < 0 { -bit } else { bit });
            }
        }
    }

    /// Reads a bit for each of the values from a place on, none of which is zero.
    #[inline]
    fn refine_values(&mut self, bits: &mut Bits, low: u32, place: u32, values: u32) {
        if place > self.inverse.last || self.kept.is_none() {
            bits.skip(values);
            return;
        }
        for place in place..place + values {
            let grows = bits.take(1) == 1;
            self.refine_value(low, place, grows);
        }
    }
}
