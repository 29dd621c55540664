//! Turns a square picture upright.

use crate::exif::Orientation;
use crate::raster::Raster;

/// The picture as it is meant to be seen.
pub(crate) fn upright(square: Raster, orientation: Orientation) -> Raster {
    if orientation == Orientation::Upright {
        return square;
    }
    let last = square.side as usize - 1;
    let side = square.side as usize;
    let channels = square.layout.channels();
    let mut samples = Vec::with_capacity(square.samples.len());
    for y in 0..side {
        for x in 0..side {
            let (from_x, from_y) = match orientation {
                Orientation::Upright => (x, y),
                Orientation::Mirrored => (last - x, y),
                Orientation::HalfTurned => (last - x, last - y),
                Orientation::Flipped => (x, last - y),
                Orientation::Transposed => (y, x),
                Orientation::TurnRight => (y, last - x),
                Orientation::Transversed => (last - y, last - x),
                Orientation::TurnLeft => (last - y, x),
            };
            let at = (from_y * side + from_x) * channels;
            samples.extend_from_slice(&square.samples[at..at + channels]);
        }
    }
    Raster { samples, ..square }
}
