//! The frame header: the size of the picture, its components, and what is made of each.

use std::ops::Range;

use resample::Window;

use super::inverse::Inverse;
use crate::crop::Square;
use crate::raster::Plane;
use crate::{LARGEST, Rejected};

/// How many samples of a component there should at least be for each pixel of the largest thumbnail, so
/// that the filter that comes after, and not the decoder, decides what the picture looks like. The
/// thumbnail has half as many colour samples as pixels, so those need no more than the pixels.
const HEADROOM: f64 = 1.4;

/// Samples per side of a block as it is coded.
pub(super) const BLOCK: usize = 8;

/// The picture that is being decoded.
pub(super) struct Frame {
    pub(super) square: Square,
    pub(super) components: Vec<Component>,
    /// How many groups of interleaved blocks the picture is wide and high.
    pub(super) groups: (usize, usize),
}

/// One component: brightness, one of two colours, or an ink.
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks per group, across and down.
    pub(super) sampling: (usize, usize),
    /// Blocks that hold any of the picture, across and down: those of a scan of this component alone.
    pub(super) blocks: (usize, usize),
    /// Which table its quantization is.
    pub(super) table: usize,
    /// The table as it was at the component's first scan: it may be defined anew after that.
    pub(super) steps: Option<[u16; 64]>,
    pub(super) output: Output,
    /// Whether all its blocks have been decoded.
    pub(super) complete: bool,
}

/// The samples of the square, at the resolution that they are decoded at.
pub(super) struct Output {
    pub(super) inverse: Inverse,
    /// The blocks that the square touches.
    pub(super) columns: Range<usize>,
    pub(super) rows: Range<usize>,
    stride: usize,
    samples: Vec<u8>,
    /// Less than whole blocks, at the edge of the picture.
    size: (usize, usize),
    window: Window,
}

impl Frame {
    /// Reads the header (T.81, B.2.2).
    ///
    /// # Errors
    /// The picture is too large, is invalid, or is of a kind that is not in use.
    pub(super) fn read(payload: &[u8], height_defined_later: impl FnOnce() -> Option<u16>) -> Result<Self, Rejected> {
        let unsupported = |kind| Err(Rejected::UnsupportedVariant { format: "JPEG", kind });
        let ([precision, h1, h0, w1, w0, count], components) = payload.split_first_chunk().ok_or(Rejected::Damaged)?;
        let (width, height) = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
        let height = if height == 0 { height_defined_later().unwrap_or(0) } else { height };
        if *precision != 8 {
            return unsupported("not 8 bits per sample");
        }
        if !matches!(count, 1 | 3 | 4) {
            return unsupported("an unusual number of components");
        }
        let (components, _) = components.as_chunks::<3>();
        let components = components.get(..usize::from(*count)).ok_or(Rejected::Damaged)?;
        let square = Square::centred(u32::from(width), u32::from(height))?;

        let factors = |sampling: u8| (usize::from(sampling >> 4), usize::from(sampling & 15));
        let most = |factor: fn((usize, usize)) -> usize| components.iter().map(|c| factor(factors(c[1]))).max();
        let most = (most(|(across, _)| across).unwrap_or(0), most(|(_, down)| down).unwrap_or(0));
        let valid = |&[_, sampling, table]: &[u8; 3]| {
            let (across, down) = factors(sampling);
            (1..=4).contains(&across) && (1..=4).contains(&down) && table < 4
        };
        if !components.iter().all(valid) {
            return Err(Rejected::Damaged);
        }
        let size = (usize::from(width), usize::from(height));
        let groups = (size.0.div_ceil(BLOCK * most.0), size.1.div_ceil(BLOCK * most.1));
        let components = components
            .iter()
            .map(|&[id, sampling, table]| {
                let sampling = factors(sampling);
                let samples = ((size.0 * sampling.0).div_ceil(most.0), (size.1 * sampling.1).div_ceil(most.1));
                let ratio = (sampling.0 as f64 / most.0 as f64, sampling.1 as f64 / most.1 as f64);
                Component {
                    id,
                    sampling,
                    blocks: (samples.0.div_ceil(BLOCK), samples.1.div_ceil(BLOCK)),
                    table: usize::from(table),
                    steps: None,
                    output: Output::new(square, samples, ratio),
                    complete: false,
                }
            })
            .collect();
        Ok(Self { square, components, groups })
    }

    pub(super) fn is_complete(&self) -> bool {
        self.components.iter().all(|component| component.complete)
    }

    pub(super) fn into_planes(self) -> Vec<Plane> {
        self.components.into_iter().map(|component| component.output.into_plane()).collect()
    }
}

impl Output {
    /// For a component of `samples` samples, `ratio` for each pixel of the picture.
    fn new(square: Square, samples: (usize, usize), ratio: (f64, f64)) -> Self {
        let (width, height) = (f64::from(square.side) * ratio.0, f64::from(square.side) * ratio.1);
        let (left, top) = (f64::from(square.left) * ratio.0, f64::from(square.top) * ratio.1);
        let headroom = if ratio == (1.0, 1.0) { HEADROOM } else { 1.0 };
        let inverse = Inverse::new(scale(width.min(height), f64::from(LARGEST) * headroom));
        let columns = touched(left, width, samples.0);
        let rows = touched(top, height, samples.1);
        let scale = inverse.size;
        let scaled = scale as f64 / BLOCK as f64;
        let limit = |blocks: &Range<usize>, samples: usize| {
            (blocks.len() * scale).min((samples * scale).div_ceil(BLOCK) - blocks.start * scale)
        };
        let size = (limit(&columns, samples.0), limit(&rows, samples.1));
        let place = |start: f64, length: f64, blocks: &Range<usize>, size: usize| {
            let start = start * scaled - (blocks.start * scale) as f64;
            (start, (length * scaled).min(size as f64 - start))
        };
        let (left, width) = place(left, width, &columns, size.0);
        let (top, height) = place(top, height, &rows, size.1);
        let stride = columns.len() * scale;
        Self {
            inverse,
            samples: vec![0; stride * rows.len() * scale],
            columns,
            rows,
            stride,
            size,
            window: Window { left, top, width, height },
        }
    }

    /// Whether the square touches this block.
    #[inline]
    pub(super) fn wants(&self, column: usize, row: usize) -> bool {
        self.columns.contains(&column) && self.rows.contains(&row)
    }

    /// Writes the samples of a block that is wanted.
    #[inline]
    pub(super) fn put(&mut self, column: usize, row: usize, frequencies: &[f32; 128]) {
        let scale = self.inverse.size;
        let start = (row - self.rows.start) * scale * self.stride + (column - self.columns.start) * scale;
        if let Some(samples) = self.samples.get_mut(start..) {
            self.inverse.samples(frequencies, samples, self.stride);
        }
    }

    fn into_plane(mut self) -> Plane {
        let (width, height) = self.size;
        if width < self.stride {
            for row in 1..height {
                self.samples.copy_within(row * self.stride..row * self.stride + width, row * width);
            }
        }
        self.samples.truncate(width * height);
        Plane { width: width as u32, height: height as u32, samples: self.samples, window: self.window }
    }
}

/// The smallest number of samples per block (1 to 8) that leaves enough of `side`.
fn scale(side: f64, enough: f64) -> usize {
    (1..BLOCK).find(|&scale| side * scale as f64 >= enough * BLOCK as f64).unwrap_or(BLOCK)
}

/// The blocks between two places of a component.
fn touched(start: f64, length: f64, samples: usize) -> Range<usize> {
    let first = (start as usize).min(samples - 1) / BLOCK;
    let end = ((start + length).ceil() as usize).min(samples).div_ceil(BLOCK);
    first..end.max(first + 1)
}
