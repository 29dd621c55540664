//! Resampling, apart from the crate that decides what is resampled: more than a thousand instances of the library's functions
//! are compiled here, which takes longer than all the rest of `pictures`, and this crate hardly changes.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// How many samples a pixel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    One,
    Three,
    Four,
}

/// A part of the samples that need not start at a whole one.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

/// Draws the window of interleaved samples, `width` by `height` pixels, as a square with sides of `size` pixels; `None` when the
/// sizes do not fit each other. Channels are resampled independently of each other, so colours have to be multiplied by alpha.
///
/// Lanczos keeps the most detail when it averages many samples into one; drawn large, its ripples around edges would be seen, so
/// enlarging uses the gentler Catmull-Rom.
#[must_use]
pub fn resample(
    samples: &[u8],
    (width, height): (u32, u32),
    channels: Channels,
    window: Window,
    size: u32,
) -> Option<Vec<u8>> {
    let filter =
        if window.width.min(window.height) > f64::from(size) { FilterType::Lanczos3 } else { FilterType::CatmullRom };
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(window.left, window.top, window.width, window.height)
        .use_alpha(false);
    // By type, so that the code for other kinds of pixels is not carried along. Three channels are drawn as four: only small
    // squares have three, and code of their own would be a third of all.
    match channels {
        Channels::One => draw::<U8>(samples, (width, height), size, &options),
        Channels::Three => {
            let four: Vec<u8> = samples.chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 0]).collect();
            let drawn = draw::<U8x4>(&four, (width, height), size, &options)?;
            Some(drawn.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect())
        }
        Channels::Four => draw::<U8x4>(samples, (width, height), size, &options),
    }
}

fn draw<P: PixelTrait>(
    samples: &[u8],
    (width, height): (u32, u32),
    size: u32,
    options: &ResizeOptions,
) -> Option<Vec<u8>> {
    let mut drawn = vec![0; size as usize * size as usize * P::size()];
    let source = TypedImageRef::<P>::from_buffer(width, height, samples).ok()?;
    let mut target = TypedImage::<P>::from_buffer(size, size, &mut drawn).ok()?;
    Resizer::new().resize_typed(&source, &mut target, options).ok()?;
    Some(drawn)
}
