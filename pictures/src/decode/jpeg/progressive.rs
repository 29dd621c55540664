//! Progressive scans: each adds some frequencies, or some bits of them, to every block.
//!
//! Only the frequencies that the samples are made of are held, of the blocks that are wanted. Of all
//! others one bit is: whether the value is zero, which later scans are coded by.

use super::bits::Bits;
use super::frame::{Component, Frame};
use super::huffman::{Ac, Dc};
use super::inverse::{Inverse, NOWHERE};
use super::scan::{Scan, Visitor};
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

    /// Reads a scan.
    pub(super) fn read(&mut self, scan: &Scan, frame: &mut Frame, segments: &mut Segments) -> Result<(), Rejected> {
        if scan.first == 0 {
            let mut lowest =
                LowestVisitor { scan, frame: &frame.components, values: &mut self.components, levels: [0; 4] };
            scan.walk(segments, &mut lowest)?;
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
        let ac = component.ac.as_ref().ok_or(Rejected::Damaged)?;
        let mut band = Band { scan, ac, frame, values, empty_blocks: 0 };
        scan.walk(segments, &mut band)
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
}

impl Visitor for LowestVisitor<'_> {
    #[inline]
    fn block(&mut self, bits: &mut Bits, component: usize, column: usize, row: usize) {
        let index = self.scan.components[component].index;
        let low = self.scan.low;
        let dc: Option<&Dc> = self.scan.components[component].dc.as_ref();
        let value = if let Some(dc) = dc {
            let level = &mut self.levels[component & 3];
            *level = level.wrapping_add(dc.difference(bits));
            *level << low
        } else {
            bits.take(1) << low
        };
        if let Some([lowest, ..]) = kept(&mut self.values[index].kept, &self.frame[index], column, row) {
            *lowest = if dc.is_some() { value as i16 } else { *lowest | value as i16 };
        }
    }

    fn restart(&mut self) {
        self.levels = [0; 4];
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

impl Visitor for Band<'_> {
    #[inline]
    fn block(&mut self, bits: &mut Bits, _component: usize, column: usize, row: usize) {
        let Some(nonzero) = self.values.nonzero.get_mut(row * self.values.across + column) else { return };
        let block = Block {
            nonzero,
            kept: kept(&mut self.values.kept, self.frame, column, row),
            inverse: &self.frame.output.inverse,
        };
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

struct Block<'a> {
    nonzero: &'a mut u64,
    kept: Option<&'a mut [i16]>,
    inverse: &'a Inverse,
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

    /// Reads a bit for each of the values from a place on, none of which is zero.
    #[inline]
    fn refine_values(&mut self, bits: &mut Bits, low: u32, place: u32, values: u32) {
        if place > self.inverse.last || self.kept.is_none() {
            bits.skip(values);
            return;
        }
        for place in place..place + values {
            let refined = bits.take(1) == 1;
            if let Some(value) = self.value(place).filter(|_| refined) {
                let bit = 1 << low;
                if *value & bit == 0 {
                    *value = value.wrapping_add(if *value < 0 { -bit } else { bit });
                }
            }
        }
    }
}
