//! PNG, row by row into the small picture.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Limits, Reader, Transformations};

use super::Picture;
use crate::Rejected;
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
    let mut decoder = Decoder::new_with_limits(Cursor::new(upload), Limits { bytes: METADATA_BYTES });
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
    Ok(Picture {
        pixels: shrink.finish(),
        orientation: info.exif_metadata.as_deref().map(exif::orientation).unwrap_or_default(),
        profile: info.icc_profile.as_deref().map(<[u8]>::to_vec),
    })
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
