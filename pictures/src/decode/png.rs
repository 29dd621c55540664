//! PNG, row by row into the small picture.

use std::borrow::Cow;
use std::io::Cursor;

use moxcms::{Chromaticity, ColorPrimaries};
use png::{BitDepth, ColorType, Decoder, Info, Limits, Reader, ScaledFloat, Transformations};

use super::Picture;
use crate::Rejected;
use crate::colour::{self, Colours, Profile};
use crate::crop::Square;
use crate::exif;
use crate::shrink::{Lanes, Row, Shrink};

/// What chunks other than the pixels may take when unpacked, in bytes: a profile has at most a few million.
const METADATA_BYTES: usize = 16 * 1024 * 1024;

/// Of each Adam7 pass: the first column, the distance of columns, the first row, the distance of rows
/// (PNG 3rd edition, 8.1).
const PASSES: [[u32; 4]; 7] =
    [[0, 8, 0, 8], [4, 8, 0, 8], [0, 4, 4, 8], [2, 4, 0, 4], [0, 2, 2, 4], [1, 2, 0, 2], [0, 1, 1, 2]];

pub(super) fn decode(upload: &[u8]) -> Result<Picture, Rejected> {
    let upload = without_stumbling_blocks(upload);
    let mut decoder = Decoder::new_with_limits(Cursor::new(&*upload), Limits { bytes: METADATA_BYTES });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    let header = decoder.read_header_info().map_err(|_| Rejected::Damaged)?;
    let (width, height, interlaced) = (header.width, header.height, header.interlaced);
    let square = Square::centred(width, height)?;
    let mut reader = decoder.read_info().map_err(|_| Rejected::Damaged)?;
    // Up to png 0.18.1 others make the decoder panic (https://github.com/image-rs/image-png/issues/694).
    if reader.info().palette.as_ref().is_some_and(|palette| palette.len() % 3 != 0 || palette.len() > 3 * 256) {
        return Err(Rejected::Damaged);
    }

    let mut shrink = Shrink::new(square);
    if interlaced {
        for [left, step, top, distance] in PASSES {
            // A pass without columns has no rows either.
            if left < width {
                for y in (top..height).step_by(distance as usize) {
                    read_row(&mut reader, Row { y, left, step }, &mut shrink)?;
                }
            }
        }
    } else {
        for y in 0..height {
            read_row(&mut reader, Row::whole(y), &mut shrink)?;
        }
    }
    // An Exif chunk may come after the pixels. What is broken that late does not touch the picture.
    let _ = reader.finish();
    let info = reader.info();
    let colours = match info.color_type {
        ColorType::Grayscale | ColorType::GrayscaleAlpha => Colours::Gray,
        ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => Colours::Rgb,
    };
    Ok(Picture {
        pixels: shrink.finish(),
        orientation: info.exif_metadata.as_deref().map(exif::orientation).unwrap_or_default(),
        colours,
        profile: profile(info, colours),
    })
}

/// The file with its end, where that is all it lacks, and without those chunks that the picture can do without, and whose
/// faults the decoder takes for faults of the picture: those of an animation or about the display, and code points that no PNG
/// may have.
fn without_stumbling_blocks(upload: &[u8]) -> Cow<'_, [u8]> {
    const SKIPPED: &[u8; 4] = b"skIp";
    const END: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";
    let mut ended = false;
    let mut kept = Cow::Borrowed(upload);
    let mut at = 8;
    while let Some((length, rest)) = upload.get(at..).and_then(<[u8]>::split_first_chunk) {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((name, contents)) = rest.split_first_chunk::<4>() else { break };
        let skip = match name {
            b"acTL" | b"fcTL" | b"fdAT" | b"mDCV" | b"cLLI" => true,
            b"cICP" => !matches!(contents.get(..length), Some([_, _, 0, 0 | 1])),
            _ => false,
        };
        if skip {
            kept.to_mut()[at + 4..at + 8].copy_from_slice(SKIPPED);
        }
        ended |= name == b"IEND";
        let Some(next) = at.checked_add(12).and_then(|at| at.checked_add(length)) else { break };
        at = next;
    }
    if at == upload.len() && !ended {
        kept.to_mut().extend(END);
    }
    kept
}

/// What the chunks say about the colours, of the first that counts (PNG 3rd edition, 4.3).
fn profile(info: &Info, colours: Colours) -> Option<Profile> {
    if let Some(points) = &info.coding_independent_code_points {
        let (primaries, transfer) = (points.color_primaries, points.transfer_function);
        let of_pixels = points.matrix_coefficients == 0 && points.is_video_full_range_image;
        if of_pixels && colour::are_known(primaries, transfer) {
            return Some(Profile::CodePoints { primaries, transfer });
        }
    }
    let profile = info.icc_profile.as_ref().map(|profile| Profile::Icc(profile.to_vec()));
    if let Some(profile) = profile.filter(|profile| profile.is_usable(colours)) {
        return Some(profile);
    }
    if info.srgb.is_some() {
        return None;
    }
    let gamma = info.gama_chunk.map(ScaledFloat::into_value).filter(|gamma| (0.1..=10.0).contains(gamma))?;
    let point = |(x, y): (ScaledFloat, ScaledFloat)| Chromaticity::new(x.into_value(), y.into_value());
    let primaries = info.chrm_chunk.map(|chunk| [chunk.white, chunk.red, chunk.green, chunk.blue].map(point));
    let primaries = primaries.filter(|points| points.iter().all(|point| point.y > 0.0));
    // What programs write in addition to, or instead of, saying that it is sRGB.
    if primaries.is_none() && (gamma - 0.45455).abs() < 0.0005 {
        return None;
    }
    let primaries = primaries.map(|[white, red, green, blue]| (white.to_xyyb(), ColorPrimaries { red, green, blue }));
    Some(Profile::Gamma { gamma, primaries })
}

fn read_row(reader: &mut Reader<Cursor<&[u8]>>, row: Row, shrink: &mut Shrink) -> Result<(), Rejected> {
    let kind = reader.output_color_type();
    let samples = reader.next_row().map_err(|_| Rejected::Damaged)?.ok_or(Rejected::Damaged)?;
    let samples = samples.data();
    match kind {
        (ColorType::Grayscale, BitDepth::Eight) => shrink.add(row, samples, |&[gray]| Lanes::opaque([gray; 3])),
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => {
            shrink.add(row, samples, |&[gray, alpha]| Lanes::straight([gray, gray, gray, alpha]));
        }
        (ColorType::Rgb, BitDepth::Eight) => shrink.add(row, samples, |&rgb| Lanes::opaque(rgb)),
        (ColorType::Rgba, BitDepth::Eight) => shrink.add(row, samples, |&rgba| Lanes::straight(rgba)),
        // The transformations leave no other.
        _ => return Err(Rejected::Damaged),
    }
    Ok(())
}
