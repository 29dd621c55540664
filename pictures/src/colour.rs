//! Colours: from the components of a codec to pixels, and from the picture's own profile to sRGB.

use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace, Layout as Samples,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics, TransformOptions, XyY,
};

use crate::Rejected;
use crate::raster::{Layout, Model, Raster};

/// One picture from the planes of its components, each `side` by `side` samples.
pub(crate) fn join(model: Model, planes: &[Vec<u8>], side: u32) -> Result<Raster, Rejected> {
    let (layout, samples) = match (model, planes) {
        (Model::Gray, [gray]) => (Layout::Gray, gray.clone()),
        (Model::Rgb, [red, green, blue]) => (Layout::Rgb, zip3(red, green, blue, |pixel| pixel)),
        (Model::YCbCr, [y, cb, cr]) => (Layout::Rgb, zip3(y, cb, cr, full_range_to_rgb)),
        (Model::VideoYCbCr, [y, cb, cr]) => (Layout::Rgb, zip3(y, cb, cr, video_range_to_rgb)),
        (Model::Cmyk, [cyan, magenta, yellow, black]) => {
            let complements = zip3(cyan, magenta, yellow, |complement| complement);
            (Layout::Cmyk, inks(&complements, black))
        }
        (Model::Ycck, [y, cb, cr, black]) => {
            // What `YCbCr` gives are the complements of what is stored of the inks, which are complements themselves.
            let complements = zip3(y, cb, cr, |ycc| full_range_to_rgb(ycc).map(|ink| 255 - ink));
            (Layout::Cmyk, inks(&complements, black))
        }
        _ => return Err(Rejected::Damaged),
    };
    Ok(Raster { side, layout, samples })
}

/// Four inks from the complements of three and of black.
fn inks(complements: &[u8], black: &[u8]) -> Vec<u8> {
    let complements = complements.as_chunks::<3>().0.iter().zip(black);
    complements
        .flat_map(|(&[cyan, magenta, yellow], &black)| [cyan, magenta, yellow, black].map(|ink| 255 - ink))
        .collect()
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

/// One pixel of [`video_range_to_rgb`], for pictures that have an alpha plane.
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

/// What colours are made of in a file. A profile of another kind says nothing about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    Gray,
    Rgb,
    Inks,
}

/// How a file says what its colours look like.
#[derive(Debug, Clone)]
pub(crate) enum Profile {
    /// An ICC profile, unchecked.
    Icc(Vec<u8>),
    /// Primaries and transfer function by their numbers (ITU-T H.273), as those of gray, too.
    CodePoints { primaries: u8, transfer: u8 },
    /// Light is the sample to the power of `1 / gamma`, with primaries of its own or those of sRGB.
    Gamma { gamma: f32, primaries: Option<(XyY, ColorPrimaries)> },
}

impl Profile {
    /// Whether it says anything about samples of these colours.
    pub(crate) fn is_usable(&self, colours: Colours) -> bool {
        self.read(colours).is_some()
    }

    /// For samples of these colours; `None` when it is broken, or of others.
    fn read(&self, colours: Colours) -> Option<ColorProfile> {
        match self {
            Self::Icc(profile) => {
                let profile = ColorProfile::new_from_slice(profile).ok()?;
                let fits = match colours {
                    Colours::Gray => DataColorSpace::Gray,
                    Colours::Rgb => DataColorSpace::Rgb,
                    Colours::Inks => DataColorSpace::Cmyk,
                };
                (profile.color_space == fits).then_some(profile)
            }
            &Self::CodePoints { primaries, transfer } => code_points(primaries, transfer),
            &Self::Gamma { gamma, primaries } => {
                let mut profile = ColorProfile::new_srgb();
                if let Some((white, primaries)) = primaries {
                    profile.update_rgb_colorimetry(white, primaries);
                }
                Some(with_curve(profile, ToneReprCurve::Parametric(vec![1.0 / gamma])))
            }
        }
    }
}

/// Whether code points say anything that can be followed.
pub(crate) fn are_known(primaries: u8, transfer: u8) -> bool {
    code_points(primaries, transfer).is_some()
}

fn code_points(primaries: u8, transfer: u8) -> Option<ColorProfile> {
    let color_primaries = CicpColorPrimaries::try_from(primaries).ok()?;
    ColorPrimaries::try_from(color_primaries).ok()?;
    let profile = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries,
        // Replaced below.
        transfer_characteristics: TransferCharacteristics::Srgb,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    let curve = match TransferCharacteristics::try_from(transfer).ok()? {
        // What cameras do, which displays answer with another curve (ITU-R BT.1886).
        TransferCharacteristics::Bt709
        | TransferCharacteristics::Bt601
        | TransferCharacteristics::Bt202010bit
        | TransferCharacteristics::Bt202012bit => ToneReprCurve::Parametric(vec![2.4]),
        TransferCharacteristics::Smpte2084 => to_white(perceptual_quantizer),
        TransferCharacteristics::Hlg => to_white(hybrid_log_gamma),
        others => ToneReprCurve::try_from(others).ok()?,
    };
    Some(with_curve(profile, curve))
}

fn with_curve(mut profile: ColorProfile, curve: ToneReprCurve) -> ColorProfile {
    profile.cicp = None;
    (profile.red_trc, profile.green_trc, profile.blue_trc) = (Some(curve.clone()), Some(curve.clone()), Some(curve));
    profile
}

/// What a sheet of paper is in a picture of high dynamic range (ITU-R BT.2408, 2.1), and what the brightest lights are that it
/// is mastered for, in candela per square metre.
const PAPER: f64 = 203.0;
const PEAK: f64 = 1000.0;

/// The curve that makes room for lights brighter than paper, up to [`PEAK`], which becomes white (Reinhard et al., 2002,
/// equation 4).
fn to_white(light: impl Fn(f64) -> f64) -> ToneReprCurve {
    const LAST: u16 = 4095;
    let curve = (0..=LAST).map(|at| {
        let light = light(f64::from(at) / f64::from(LAST)) / PAPER;
        let share = (light * (1.0 + light / (PEAK / PAPER).powi(2)) / (1.0 + light)).clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the largest")]
        let share = (share * f64::from(u16::MAX)).round() as u16;
        share
    });
    ToneReprCurve::Lut(curve.collect())
}

/// ITU-R BT.2100, table 4.
fn perceptual_quantizer(signal: f64) -> f64 {
    let root = signal.powf(32.0 / 2523.0);
    10_000.0 * ((root - 0.835_937_5).max(0.0) / (18.851_562_5 - 18.687_5 * root)).powf(8192.0 / 1305.0)
}

/// ITU-R BT.2100, table 5, on a display that reaches [`PEAK`].
fn hybrid_log_gamma(signal: f64) -> f64 {
    let scene = if signal <= 0.5 {
        signal * signal / 3.0
    } else {
        (((signal - 0.559_910_73) / 0.178_832_77).exp() + 0.284_668_92) / 12.0
    };
    PEAK * scene.powf(1.2)
}

/// The picture in sRGB: by what the file says of its colours when that can be used, else as if it were sRGB already,
/// and for inks by the simplest rule there is.
pub(crate) fn to_srgb(square: Raster, colours: Colours, profile: Option<&Profile>) -> Raster {
    let profile = profile.and_then(|profile| profile.read(colours));
    let converted = profile.and_then(|profile| by_profile(&square, &profile));
    match (converted, square.layout) {
        (Some(converted), _) => converted,
        (None, Layout::Cmyk) => without_profile(&square),
        (None, _) => square,
    }
}

fn by_profile(square: &Raster, profile: &ColorProfile) -> Option<Raster> {
    let (source, from, to) = match (square.layout, profile.color_space) {
        (Layout::Gray, DataColorSpace::Gray) => (square.samples.clone(), Samples::Gray, Samples::Rgb),
        (Layout::Rgb, DataColorSpace::Rgb) => (square.samples.clone(), Samples::Rgb, Samples::Rgb),
        (Layout::Premultiplied, DataColorSpace::Rgb) => (straight(&square.samples), Samples::Rgba, Samples::Rgba),
        (Layout::Rgb, DataColorSpace::Gray) => (gray::<3>(&square.samples), Samples::Gray, Samples::Rgb),
        (Layout::Premultiplied, DataColorSpace::Gray) => {
            (gray::<4>(&straight(&square.samples)), Samples::GrayAlpha, Samples::Rgba)
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

/// What is gray, in fewer samples: the first, and alpha where there is one.
fn gray<const CHANNELS: usize>(samples: &[u8]) -> Vec<u8> {
    let (pixels, _) = samples.as_chunks::<CHANNELS>();
    pixels.iter().flat_map(|pixel| [&pixel[..1], &pixel[3..]]).flatten().copied().collect()
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
