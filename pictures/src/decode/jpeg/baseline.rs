//! Sequential scans: each block is whole, and becomes samples at once.

use super::arithmetic::{Contexts, Decisions};
use super::bits::Bits;
use super::frame::{Component, Frame};
use super::huffman::{Ac, Dc};
use super::scan::{Scan, ScanComponent, Visitor};
use super::segments::Segments;
use crate::Rejected;

/// Decodes a scan into the outputs of its components.
pub(super) fn read(scan: &Scan, frame: &mut Frame, segments: &mut Segments) -> Result<(), Rejected> {
    let codes = scan.components.iter().map(|component| component.dc.as_ref().zip(component.ac.as_ref()));
    if let Some(codes) = codes.collect::<Option<Vec<_>>>() {
        let channels = channels(scan, frame, codes)?;
        scan.walk(segments, &mut Blocks { channels, frequencies: [0.0; 128] })?;
    } else {
        let channels = channels(scan, frame, vec![0; scan.components.len()])?;
        scan.walk(
            segments,
            &mut ArithmeticBlocks { scan, channels, frequencies: [0.0; 128], contexts: Contexts::default() },
        )?;
    }
    for component in &scan.components {
        frame.components[component.index].complete = true;
    }
    Ok(())
}

/// The components of a scan, each with what its coding needs.
fn channels<'a, T>(scan: &Scan, frame: &'a mut Frame, needs: Vec<T>) -> Result<Vec<Channel<'a, T>>, Rejected> {
    let mut taken: Vec<Option<&mut Component>> = frame.components.iter_mut().map(Some).collect();
    let channel = |(component, coding): (&ScanComponent, T)| {
        let frame = taken[component.index].take().ok_or(Rejected::Damaged)?;
        let mut steps = [0.0; 128];
        for (step, &whole) in steps.iter_mut().zip(frame.steps.as_ref().ok_or(Rejected::Damaged)?) {
            *step = f32::from(whole);
        }
        Ok(Channel { frame, coding, steps, level: 0 })
    };
    scan.components.iter().zip(needs).map(channel).collect()
}

struct Channel<'a, T> {
    frame: &'a mut Component,
    /// Its codes; or for arithmetic coding, how large the last difference was.
    coding: T,
    /// By place in the file; beyond the block there are zeros.
    steps: [f32; 128],
    /// The lowest frequency of the block before.
    level: i32,
}

struct Blocks<'a> {
    channels: Vec<Channel<'a, (&'a Dc, &'a Ac)>>,
    /// Those of the current block; zeros in between.
    frequencies: [f32; 128],
}

impl Visitor<Bits<'_>> for Blocks<'_> {
    #[inline]
    fn block(&mut self, bits: &mut Bits, component: usize, column: usize, row: usize) {
        let Channel { frame, coding: (dc, ac), steps, level } = &mut self.channels[component];
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

struct ArithmeticBlocks<'a> {
    scan: &'a Scan,
    channels: Vec<Channel<'a, usize>>,
    frequencies: [f32; 128],
    contexts: Contexts,
}

impl Visitor<Decisions<'_>> for ArithmeticBlocks<'_> {
    #[inline]
    fn block(&mut self, decisions: &mut Decisions, component: usize, column: usize, row: usize) {
        let ScanComponent { tables: (dc, ac), conditioning, .. } = self.scan.components[component];
        let Channel { frame, coding: class, steps, level } = &mut self.channels[component];
        let (output, frequencies) = (&mut frame.output, &mut self.frequencies);
        *level = level.wrapping_add(self.contexts.dc[dc].difference(decisions, conditioning.0, class));
        frequencies[0] = *level as f32 * steps[0];
        let slots = &output.inverse.slots;
        // What comes next depends on every value, so none can be stepped over.
        self.contexts.ac[ac].values(decisions, conditioning.1, (1, 63), |place, value| {
            let place = (place & 63) as usize;
            frequencies[usize::from(slots[place] & 127)] = value as f32 * steps[place];
        });
        if output.wants(column, row) {
            output.put(column, row, frequencies);
        }
        let area = output.inverse.area();
        frequencies[..area].fill(0.0);
    }

    fn restart(&mut self) {
        for channel in &mut self.channels {
            (channel.level, channel.coding) = (0, 0);
        }
        self.contexts = Contexts::default();
    }
}
