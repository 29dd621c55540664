//! The alpha plane of a lossy WebP picture.

use super::{container, lossless};
use crate::Rejected;

/// How each value was predicted from its neighbours before it was packed.
#[derive(Debug, Clone, Copy)]
enum Filter {
    None,
    Horizontal,
    Vertical,
    Gradient,
}

/// Unfiltered row by row, as it is needed.
pub(super) struct AlphaPlane {
    width: usize,
    filter: Filter,
    residuals: Vec<u8>,
    /// How many rows have been given.
    rows: usize,
    above: Vec<u8>,
    current: Vec<u8>,
}

impl AlphaPlane {
    /// Unpacks an `ALPH` chunk for a picture of this size.
    pub(super) fn decode(chunk: &[u8], width: u32, height: u32) -> Result<Self, Rejected> {
        let (&flags, packed) = chunk.split_first().ok_or(Rejected::Damaged)?;
        let filter = match flags >> 2 & 0b11 {
            0 => Filter::None,
            1 => Filter::Horizontal,
            2 => Filter::Vertical,
            _ => Filter::Gradient,
        };
        let size = width as usize * height as usize;
        let residuals = match flags & 0b11 {
            0 => packed.get(..size).ok_or(Rejected::Damaged)?.to_vec(),
            1 => {
                // A lossless bitstream without its header; the values are its greens.
                let bitstream = [&container::lossless_start(width, height), packed].concat();
                let rgba = lossless(&bitstream, width, height)?;
                rgba.chunks_exact(4).map(|pixel| pixel[1]).collect()
            }
            _ => return Err(Rejected::Damaged),
        };
        let width = width as usize;
        Ok(Self { width, filter, residuals, rows: 0, above: vec![0; width], current: vec![0; width] })
    }

    /// The values of the next row, opaque is 255.
    pub(super) fn next_row(&mut self) -> &[u8] {
        std::mem::swap(&mut self.above, &mut self.current);
        let first_row = self.rows == 0;
        let start = self.rows * self.width;
        self.rows += 1;
        let residuals = self.residuals.get(start..start + self.width).unwrap_or_default();
        let mut left = 0;
        let mut above_left = 0;
        for (x, ((value, &residual), &above)) in self.current.iter_mut().zip(residuals).zip(&self.above).enumerate() {
            // At the edges every filter predicts from the one neighbour there is.
            let predicted = match self.filter {
                Filter::None => 0,
                _ if x == 0 && first_row => 0,
                _ if x == 0 => above,
                _ if first_row => left,
                Filter::Horizontal => left,
                Filter::Vertical => above,
                Filter::Gradient => gradient(left, above, above_left),
            };
            *value = residual.wrapping_add(predicted);
            left = *value;
            above_left = above;
        }
        &self.current
    }
}

fn gradient(left: u8, above: u8, above_left: u8) -> u8 {
    let sum = i16::from(left) + i16::from(above) - i16::from(above_left);
    sum.clamp(0, 255).to_le_bytes()[0]
}
