//! Makes a picture smaller while its rows are read, so that only the small one is ever held.

use crate::LARGEST;
use crate::crop::Square;
use crate::raster::Pixels;

/// How many times larger than the largest thumbnail the result is at least, so that the good filter that
/// comes after still decides what the picture looks like.
const HEADROOM: u32 = 2;

/// Adds pixels up in cells of `factor` by `factor`, in whatever order the rows come: one after another,
/// or interlaced.
pub(crate) struct Shrink {
    square: Square,
    factor: u32,
    /// Width and height in cells.
    side: u32,
    /// Sums of [`Lanes`]. A side of [`MAX_PIXELS`](crate::MAX_PIXELS) is at most 7071 pixels, so a cell has
    /// at most 6 by 6 of them, and a sum stays far below what a lane holds.
    cells: Vec<u64>,
}

/// Which pixels of a picture a row of samples holds: from `left` on, every `step`th, of row `y`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) y: u32,
    pub(crate) left: u32,
    pub(crate) step: u32,
}

impl Row {
    /// A row without gaps, from the left edge on.
    pub(crate) fn whole(y: u32) -> Self {
        Self { y, left: 0, step: 1 }
    }
}

/// A pixel as it is added up: red, green, blue, alpha in 16 bits each, colours multiplied by alpha. One
/// addition adds all four.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lanes(u64);

const LOW_BYTES: u64 = 0x00FF_00FF_00FF_00FF;

impl Lanes {
    /// A pixel that hides what is behind it.
    #[inline]
    pub(crate) fn opaque([red, green, blue]: [u8; 3]) -> Self {
        Self(spread([red, green, blue, 255]))
    }

    /// A pixel whose colours are not multiplied yet.
    #[inline]
    pub(crate) fn straight([red, green, blue, alpha]: [u8; 4]) -> Self {
        let products = spread([red, green, blue, 255]) * u64::from(alpha);
        // Rounded division by 255, exact for products of two bytes.
        let rounded = products + 0x0080_0080_0080_0080;
        Self((rounded + (rounded >> 8 & LOW_BYTES)) >> 8 & LOW_BYTES)
    }
}

#[inline]
fn spread(bytes: [u8; 4]) -> u64 {
    let pairs = u64::from(u32::from_le_bytes(bytes));
    let pairs = (pairs | pairs << 16) & 0x0000_FFFF_0000_FFFF;
    (pairs | pairs << 8) & LOW_BYTES
}

impl Shrink {
    pub(crate) fn new(square: Square) -> Self {
        let factor = (square.side / (LARGEST * HEADROOM)).max(1);
        let side = square.side / factor;
        // Less than one cell is cut off, so that all cells are whole.
        let square = square.inner(side * factor);
        Self { square, factor, side, cells: vec![0; side as usize * side as usize] }
    }

    /// Adds a row of pixels of `CHANNELS` samples each.
    pub(crate) fn add<const CHANNELS: usize>(
        &mut self,
        row: Row,
        samples: &[u8],
        lanes: impl Fn(&[u8; CHANNELS]) -> Lanes,
    ) {
        let Square { left, top, side } = self.square;
        let Some(y) = row.y.checked_sub(top).filter(|&y| y < side) else { return };
        let start = (y / self.factor) as usize * self.side as usize;
        let cells = &mut self.cells[start..start + self.side as usize];
        let (pixels, _) = samples.as_chunks::<CHANNELS>();
        if row.step == 1 && row.left <= left {
            let pixels = pixels.get((left - row.left) as usize..).unwrap_or_default();
            match self.factor {
                1 => add_cells::<1, CHANNELS>(cells, pixels, lanes),
                2 => add_cells::<2, CHANNELS>(cells, pixels, lanes),
                3 => add_cells::<3, CHANNELS>(cells, pixels, lanes),
                4 => add_cells::<4, CHANNELS>(cells, pixels, lanes),
                5 => add_cells::<5, CHANNELS>(cells, pixels, lanes),
                _ => add_cells::<6, CHANNELS>(cells, pixels, lanes),
            }
            return;
        }
        let columns = (row.left..).step_by(row.step as usize);
        for (x, pixel) in columns.zip(pixels) {
            if let Some(x) = x.checked_sub(left).filter(|&x| x < side) {
                cells[(x / self.factor) as usize] += lanes(pixel).0;
            }
        }
    }

    /// The averages. Pixels that were never added are transparent.
    pub(crate) fn finish(self) -> Pixels {
        let area = u64::from(self.factor * self.factor);
        // Multiplying by the reciprocal in 16.16 fixed point; sums are at most 255 times the area.
        let reciprocal = (65_536 + area / 2) / area;
        let mut rgba = vec![0; self.cells.len() * 4];
        for (pixel, &sums) in rgba.as_chunks_mut::<4>().0.iter_mut().zip(&self.cells) {
            let lane = |shift: u32| {
                let sum: u64 = sums >> shift & 0xFFFF;
                (sum * reciprocal + 32_768).to_le_bytes()[2]
            };
            *pixel = [lane(0), lane(16), lane(32), lane(48)];
        }
        Pixels::Premultiplied { side: self.side, rgba }
    }
}

/// Adds pixels to cells that are `FACTOR` of them wide. A row that ends early fills only a part.
#[inline]
fn add_cells<const FACTOR: usize, const CHANNELS: usize>(
    cells: &mut [u64],
    pixels: &[[u8; CHANNELS]],
    lanes: impl Fn(&[u8; CHANNELS]) -> Lanes,
) {
    let (groups, rest) = pixels.as_chunks::<FACTOR>();
    for (cell, group) in cells.iter_mut().zip(groups) {
        *cell += group.iter().map(|pixel| lanes(pixel).0).sum::<u64>();
    }
    if let Some(cell) = cells.get_mut(groups.len()) {
        *cell += rest.iter().map(|pixel| lanes(pixel).0).sum::<u64>();
    }
}
