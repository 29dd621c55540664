//! Resizing, with filters that fit the direction.

use resample::{Channels, Window};

use crate::Rejected;
use crate::colour;
use crate::raster::{Layout, Pixels, Plane, Raster};

/// The decoded square with sides of at most `largest` pixels; a smaller one keeps its size.
pub(crate) fn at_most(pixels: Pixels, largest: u32) -> Result<Raster, Rejected> {
    match pixels {
        Pixels::Premultiplied { side, rgba } => {
            let square = Raster { side, layout: Layout::Premultiplied, samples: rgba };
            let square = if side > largest { exactly(&square, largest)? } else { square };
            Ok(colour::without_full_alpha(square))
        }
        Pixels::Planes { side, model, planes } => {
            let side = side.min(largest);
            let planes = planes
                .into_iter()
                .map(|Plane { width, height, samples, window }| {
                    resample(&samples, (width, height), Channels::One, window, side)
                })
                .collect::<Result<Vec<_>, _>>()?;
            colour::join(model, &planes, side)
        }
    }
}

/// The square with sides of `size` pixels, larger or smaller than it is.
pub(crate) fn exactly(square: &Raster, size: u32) -> Result<Raster, Rejected> {
    if square.side == size {
        return Ok(square.clone());
    }
    let channels = match square.layout {
        Layout::Gray => Channels::One,
        Layout::Rgb => Channels::Three,
        Layout::Premultiplied | Layout::Cmyk => Channels::Four,
    };
    let width = f64::from(square.side);
    let whole = Window { left: 0.0, top: 0.0, width, height: width };
    let mut samples = resample(&square.samples, (square.side, square.side), channels, whole, size)?;
    if square.layout == Layout::Premultiplied {
        limit_to_alpha(&mut samples);
    }
    Ok(Raster { side: size, layout: square.layout, samples })
}

/// A filter with negative lobes can leave a colour brighter than its alpha, which no division could undo.
fn limit_to_alpha(rgba: &mut [u8]) {
    for pixel in rgba.chunks_exact_mut(4) {
        let alpha = pixel[3];
        for colour in &mut pixel[..3] {
            *colour = (*colour).min(alpha);
        }
    }
}

fn resample(
    samples: &[u8],
    dimensions: (u32, u32),
    channels: Channels,
    window: Window,
    side: u32,
) -> Result<Vec<u8>, Rejected> {
    // The sizes were made to fit; that they would not is a broken picture at worst, and no reason to stop.
    resample::resample(samples, dimensions, channels, window, side).ok_or(Rejected::Damaged)
}
