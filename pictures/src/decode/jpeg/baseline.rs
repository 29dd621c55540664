//! Sequential scans: each block is whole, and becomes samples at once.

use super::bits::Bits;
use super::frame::{Component, Frame};
use super::huffman::{Ac, Dc};
use super::scan::{Scan, Visitor};
use super::segments::Segments;
use crate::Rejected;

/// Decodes a scan into the outputs of its components.
pub(super) fn read(scan: &Scan, frame: &mut Frame, segments: &mut Segments) -> Result<(), Rejected> {
    let mut taken: Vec<Option<&mut Component>> = frame.components.iter_mut().map(Some).collect();
    let mut channels = Vec::with_capacity(scan.components.len());
    for component in &scan.components {
        let (Some(frame), Some(dc), Some(ac)) =
            (taken[component.index].take(), component.dc.as_ref(), component.ac.as_ref())
        else {
            return Err(Rejected::Damaged);
        };
        let mut steps = [0.0; 128];
        for (step, &whole) in steps.iter_mut().zip(frame.steps.as_ref().ok_or(Rejected::Damaged)?) {
            *step = f32::from(whole);
        }
        channels.push(Channel { frame, dc, ac, steps, level: 0 });
    }
    let mut blocks = Blocks { channels, frequencies: [0.0; 128] };
    scan.walk(segments, &mut blocks)?;
    for channel in blocks.channels {
        channel.frame.complete = true;
    }
    Ok(())
}

struct Channel<'a> {
    frame: &'a mut Component,
    dc: &'a Dc,
    ac: &'a Ac,
    /// By place in the file; beyond the block there are zeros.
    steps: [f32; 128],
    /// The lowest frequency of the block before.
    level: i32,
}

struct Blocks<'a> {
    channels: Vec<Channel<'a>>,
    /// Those of the current block; zeros in between.
    frequencies: [f32; 128],
}

impl Visitor for Blocks<'_> {
    #[inline]
    fn block(&mut self, bits: &mut Bits, component: usize, column: usize, row: usize) {
        let Channel { frame, dc, ac, steps, level } = &mut self.channels[component];
        *level = level.wrapping_add(dc.difference(bits));
        let output = &mut frame.output;
        if !output.wants(column, row) {
            ac.skip(bits, 1);
            return;
        }
        let frequencies = &mut self.frequencies;
        frequencies[0] = *level as f32 * steps[0];
        let slots = &output.inverse.slots;
        let place = ac.values(bits, output.inverse.last, |place, value| {
            let place = (place & 127) as usize;
            frequencies[usize::from(slots[place] & 127)] = value as f32 * steps[place];
        });
        ac.skip(bits, place);
        output.put(column, row, frequencies);
        let area = output.inverse.area();
        frequencies[..area].fill(0.0);
    }

    fn restart(&mut self) {
        for channel in &mut self.channels {
            channel.level = 0;
        }
    }
}
