//! Colours: from the components of a codec to pixels, and from the picture's own profile to sRGB.

use moxcms::{ColorProfile, DataColorSpace, Layout as Samples, TransformOptions};

use crate::Rejected;
use crate::raster::{Layout, Model, Raster};

/// One picture from the planes of its components, each `side` by `side` samples.
pub(crate) fn join(model: Model, planes: &[Vec<u8>], side: u32) -> Result<Raster, Rejected> {
    let (layout, samples) = match (model, planes) {
        (Model::Gray, [gray]) => (Layout::Gray, gray.clone()),
        (Model::Rgb, [red, green, blue]) => (Layout::Rgb, zip3(red, green, blue, |pixel| pixel)),
        (Model::YCbCr, [y, cb, cr]) => (Layout::Rgb, zip3(y, cb, cr, full_range_to_rgb)),
        (Model::VideoYCbCr, [y, cb, cr]) => (Layout::Rgb, zip3(y, cb, cr, video_range_to_rgb)),
        (Model::Cmyk { inverted }, [cyan, magenta, yellow, black]) => {
            let inks = zip3(cyan, magenta, yellow, |ink| ink);
            (Layout::Cmyk, with_black(&inks, black, if inverted { 255 } else { 0 }, black_mask(inverted)))
        }
        (Model::Ycck { inverted }, [y, cb, cr, black]) => {
            // What YCbCr gives here are the complements of the stored inks.
            let complements = zip3(y, cb, cr, full_range_to_rgb);
            (Layout::Cmyk, with_black(&complements, black, if inverted { 0 } else { 255 }, black_mask(inverted)))
        }
        _ => return Err(Rejected::Damaged),
    };
    Ok(Raster { side, layout, samples })
}

fn black_mask(inverted: bool) -> u8 {
    if inverted { 255 } else { 0 }
}

/// Inks of four from inks of three and black; `x ^ 255` is `255 - x`.
fn with_black(inks: &[u8], black: &[u8], ink_mask: u8, black_mask: u8) -> Vec<u8> {
    let mut samples = Vec::with_capacity(black.len() * 4);
    for (ink, &black) in inks.chunks_exact(3).zip(black) {
        samples.extend([ink[0] ^ ink_mask, ink[1] ^ ink_mask, ink[2] ^ ink_mask, black ^ black_mask]);
    }
    samples
}

fn zip3(first: &[u8], second: &[u8], third: &[u8], colour: impl Fn([u8; 3]) -> [u8; 3]) -> Vec<u8> {
    let mut samples = vec![0; first.len() * 3];
    for (((pixel, &a), &b), &c) in samples.chunks_exact_mut(3).zip(first).zip(second).zip(third) {
        pixel.copy_from_slice(&colour([a, b, c]));
    }
    samples
}

/// JFIF 1.02, "Conversion to and from RGB", in 16.16 fixed point.
#[inline]
fn full_range_to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let y = (i32::from(y) << 16) + 0x8000;
    let cb = i32::from(cb) - 128;
    let cr = i32::from(cr) - 128;
    [clamp((y + 91_881 * cr) >> 16), clamp((y - 22_554 * cb - 46_802 * cr) >> 16), clamp((y + 116_130 * cb) >> 16)]
}

/// The same for samples between 16 and 235 (240 for colour), which is what VP8 holds (RFC 6386, 9.2).
#[inline]
fn video_range_to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let y = 76_309 * (i32::from(y) - 16) + 0x8000;
    let cb = i32::from(cb) - 128;
    let cr = i32::from(cr) - 128;
    [clamp((y + 104_597 * cr) >> 16), clamp((y - 25_675 * cb - 53_279 * cr) >> 16), clamp((y + 132_201 * cb) >> 16)]
}

#[inline]
fn clamp(value: i32) -> u8 {
    value.clamp(0, 255).to_le_bytes()[0]
}

/// One pixel of [`video_range_to_rgb`], for pictures that have alpha beside their planes.
pub(crate) fn video_pixel(components: [u8; 3]) -> [u8; 3] {
    video_range_to_rgb(components)
}

/// Drops an alpha channel that hides nothing.
pub(crate) fn without_full_alpha(square: Raster) -> Raster {
    if square.layout != Layout::Premultiplied || square.samples.chunks_exact(4).any(|pixel| pixel[3] != 255) {
        return square;
    }
    let mut samples = vec![0; square.samples.len() / 4 * 3];
    for (rgb, rgba) in samples.chunks_exact_mut(3).zip(square.samples.chunks_exact(4)) {
        rgb.copy_from_slice(&rgba[..3]);
    }
    Raster { layout: Layout::Rgb, samples, ..square }
}

/// Colours as they are where alpha has been taken out of them.
pub(crate) fn straight(premultiplied: &[u8]) -> Vec<u8> {
    let mut samples = premultiplied.to_vec();
    for pixel in samples.chunks_exact_mut(4) {
        let alpha = u32::from(pixel[3]);
        if alpha != 0 && alpha != 255 {
            for colour in &mut pixel[..3] {
                *colour = ((u32::from(*colour) * 255 + alpha / 2) / alpha).min(255).to_le_bytes()[0];
            }
        }
    }
    samples
}

fn premultiply(straight: &mut [u8]) {
    for pixel in straight.chunks_exact_mut(4) {
        let alpha = u32::from(pixel[3]);
        for colour in &mut pixel[..3] {
            *colour = ((u32::from(*colour) * alpha + 127) / 255).to_le_bytes()[0];
        }
    }
}

/// The picture in sRGB: by its embedded profile when that can be used, else as if it were sRGB already,
/// and for inks by the simplest rule there is.
pub(crate) fn to_srgb(square: Raster, profile: Option<&[u8]>) -> Raster {
    let converted = profile
        .and_then(|profile| ColorProfile::new_from_slice(profile).ok())
        .and_then(|profile| by_profile(&square, &profile));
    match (converted, square.layout) {
        (Some(converted), _) => converted,
        (None, Layout::Cmyk) => without_profile(&square),
        (None, _) => square,
    }
}

fn by_profile(square: &Raster, profile: &ColorProfile) -> Option<Raster> {
    let (source, from, to) = match (square.layout, profile.color_space) {
        (Layout::Gray, DataColorSpace::Gray) => (square.samples.clone(), Samples::Gray, Samples::Rgb),
        (Layout::Gray, DataColorSpace::Rgb) => {
            (square.samples.iter().flat_map(|&gray| [gray; 3]).collect(), Samples::Rgb, Samples::Rgb)
        }
        (Layout::Rgb, DataColorSpace::Rgb) => (square.samples.clone(), Samples::Rgb, Samples::Rgb),
        (Layout::Premultiplied, DataColorSpace::Rgb) => (straight(&square.samples), Samples::Rgba, Samples::Rgba),
        (Layout::Rgb, DataColorSpace::Gray) => (gray::<3>(&square.samples)?, Samples::Gray, Samples::Rgb),
        (Layout::Premultiplied, DataColorSpace::Gray) => {
            (gray::<4>(&straight(&square.samples))?, Samples::GrayAlpha, Samples::Rgba)
        }
        (Layout::Cmyk, DataColorSpace::Cmyk) => (square.samples.clone(), Samples::Rgba, Samples::Rgb),
        _ => return None,
    };
    let transform =
        profile.create_transform_8bit(from, &ColorProfile::new_srgb(), to, TransformOptions::default()).ok()?;
    let layout = if to == Samples::Rgba { Layout::Premultiplied } else { Layout::Rgb };
    let mut samples = vec![0; square.side as usize * square.side as usize * layout.channels()];
    transform.transform(&source, &mut samples).ok()?;
    if layout == Layout::Premultiplied {
        premultiply(&mut samples);
    }
    Some(Raster { side: square.side, layout, samples })
}

/// What is gray, in fewer samples: the first, and alpha where there is one. `None` for a picture in colour,
/// which a profile for gray says nothing about.
fn gray<const CHANNELS: usize>(samples: &[u8]) -> Option<Vec<u8>> {
    let (pixels, _) = samples.as_chunks::<CHANNELS>();
    let all_gray = pixels.iter().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]);
    all_gray.then(|| pixels.iter().flat_map(|pixel| [&pixel[..1], &pixel[3..]]).flatten().copied().collect())
}

fn without_profile(inks: &Raster) -> Raster {
    let mut samples = Vec::with_capacity(inks.samples.len() / 4 * 3);
    for ink in inks.samples.chunks_exact(4) {
        let paper_left = 255 - u32::from(ink[3]);
        samples
            .extend(ink[..3].iter().map(|&ink| (((255 - u32::from(ink)) * paper_left + 127) / 255).to_le_bytes()[0]));
    }
    Raster { side: inks.side, layout: Layout::Rgb, samples }
}
