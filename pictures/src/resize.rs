//! Resizing, with filters that fit the direction.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::Rejected;
use crate::colour;
use crate::raster::{Layout, Pixels, Plane, Raster, Window};

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
            let mut resizer = Resizer::new();
            let planes = planes
                .into_iter()
                .map(|Plane { width, height, samples, window }| {
                    resample::<U8>(&mut resizer, &samples, (width, height), window, side)
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
    let resample = match square.layout {
        Layout::Gray => resample::<U8>,
        Layout::Rgb => resample::<U8x3>,
        Layout::Premultiplied | Layout::Cmyk => resample::<U8x4>,
    };
    let width = f64::from(square.side);
    let whole = Window { left: 0.0, top: 0.0, width, height: width };
    let mut samples = resample(&mut Resizer::new(), &square.samples, (square.side, square.side), whole, size)?;
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

/// Lanczos keeps the most detail when it averages many samples into one; drawn large, its ripples around
/// edges would be seen, so enlarging uses the gentler Catmull-Rom.
///
/// The type of a pixel is known where this is called, so that the code for others is not carried along.
fn resample<P: PixelTrait>(
    resizer: &mut Resizer,
    samples: &[u8],
    (width, height): (u32, u32),
    window: Window,
    size: u32,
) -> Result<Vec<u8>, Rejected> {
    let filter =
        if window.width.min(window.height) > f64::from(size) { FilterType::Lanczos3 } else { FilterType::CatmullRom };
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(window.left, window.top, window.width, window.height)
        .use_alpha(false);
    let mut smaller = vec![0; size as usize * size as usize * P::size()];
    // The sizes were made to fit; that they would not is a broken picture at worst, and no reason to stop.
    let source = TypedImageRef::<P>::from_buffer(width, height, samples).map_err(|_| Rejected::Damaged)?;
    let mut target = TypedImage::<P>::from_buffer(size, size, &mut smaller).map_err(|_| Rejected::Damaged)?;
    resizer.resize_typed(&source, &mut target, &options).map_err(|_| Rejected::Damaged)?;
    Ok(smaller)
}
