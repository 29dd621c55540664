//! Makes the files that are uploaded.

use std::borrow::Cow;

use gif::{Encoder as GifEncoder, Frame as GifFrame};
use image_webp::WebPEncoder;
use jpeg_encoder::Encoder as JpegEncoder;

pub const RED: [u8; 3] = [230, 30, 30];
pub const GREEN: [u8; 3] = [30, 200, 30];
pub const BLUE: [u8; 3] = [30, 30, 230];
pub const YELLOW: [u8; 3] = [230, 220, 30];

pub const PROGRESSIVE: &[u8] = include_bytes!("../data/progressive.jpg");
pub const PROGRESSIVE_LARGE: &[u8] = include_bytes!("../data/progressive_large.jpg");
pub const ARITHMETIC: &[u8] = include_bytes!("../data/arithmetic.jpg");
pub const ARITHMETIC_PROGRESSIVE: &[u8] = include_bytes!("../data/arithmetic_progressive.jpg");
pub const LOSSY_WEBP: &[u8] = include_bytes!("../data/lossy.webp");
pub const LOSSY_ALPHA_WEBP: &[u8] = include_bytes!("../data/lossy_alpha.webp");
pub const LOSSLESS_ALPHA_WEBP: &[u8] = include_bytes!("../data/lossless_alpha.webp");
pub const ANIMATED_WEBP: &[u8] = include_bytes!("../data/animated.webp");
pub const CMYK_PROFILE: &[u8] = include_bytes!("../data/cmyk.icc");

/// The number of the quarter at a place: 0 and 1 above 2 and 3.
pub fn quarter(x: u32, y: u32, width: u32, height: u32) -> usize {
    usize::from(x >= width / 2) + 2 * usize::from(y >= height / 2)
}

/// Samples of a picture with red and green above blue and yellow, as `pixel` has them.
pub fn quarters<const CHANNELS: usize>(width: u32, height: u32, pixel: impl Fn([u8; 3]) -> [u8; CHANNELS]) -> Vec<u8> {
    (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| pixel([RED, GREEN, BLUE, YELLOW][quarter(x, y, width, height)]))
        .collect()
}

pub fn rgb(width: u32, height: u32) -> Vec<u8> {
    quarters(width, height, |rgb| rgb)
}

/// A JPEG of these samples; `set` changes how it is written.
pub fn jpeg_of(
    samples: &[u8],
    (width, height): (u32, u32),
    colour: jpeg_encoder::ColorType,
    set: impl FnOnce(&mut JpegEncoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new(&mut file, 90);
    set(&mut encoder);
    encoder.encode(samples, width.try_into().unwrap(), height.try_into().unwrap(), colour).unwrap();
    file
}

pub fn jpeg(width: u32, height: u32, set: impl FnOnce(&mut JpegEncoder<&mut Vec<u8>>)) -> Vec<u8> {
    jpeg_of(&rgb(width, height), (width, height), jpeg_encoder::ColorType::Rgb, set)
}

/// The file with a segment put in as the first.
pub fn with_jpeg_segment(file: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&file[..2], &[0xFF, marker], &length, payload, &file[2..]].concat()
}

/// Where the marker of a JPEG's frame is.
pub fn frame_marker(file: &[u8]) -> usize {
    file.windows(2).position(|bytes| matches!(bytes, [0xFF, 0xC0 | 0xC2])).unwrap()
}

/// The file without any segment of this marker before its first scan.
pub fn without_jpeg_segments(file: &[u8], marker: u8) -> Vec<u8> {
    let mut kept = file[..2].to_vec();
    let mut at = 2;
    while file[at + 1] != 0xDA {
        let end = at + 2 + usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
        if file[at + 1] != marker {
            kept.extend(&file[at..end]);
        }
        at = end;
    }
    [&kept, &file[at..]].concat()
}

/// A PNG of these samples; `set` changes how it is written.
pub fn png_of<'a>(
    samples: &[u8],
    width: u32,
    height: u32,
    colour: png::ColorType,
    depth: png::BitDepth,
    set: impl FnOnce(&mut png::Encoder<'a, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    set(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    file
}

pub fn png(width: u32, height: u32) -> Vec<u8> {
    png_of(&rgb(width, height), width, height, png::ColorType::Rgb, png::BitDepth::Eight, |_| {})
}

/// The chunks of a PNG: the name and the contents of each.
pub fn png_chunks(file: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = &file[8..];
    let mut chunks = Vec::new();
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(*rest.first_chunk().unwrap()) as usize;
        let Some(contents) = rest.get(8..8 + length) else { break };
        chunks.push((&rest[4..8], contents));
        rest = rest.get(12 + length..).unwrap_or_default();
    }
    chunks
}

pub fn png_from_chunks(chunks: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1A\n".to_vec();
    for (name, contents) in chunks {
        file.extend(u32::try_from(contents.len()).unwrap().to_be_bytes());
        file.extend(*name);
        file.extend(*contents);
        file.extend(checksum(&[*name, contents].concat()).to_be_bytes());
    }
    file
}

/// The file with a chunk put in before its pixels.
pub fn with_png_chunk(file: &[u8], name: [u8; 4], contents: &[u8]) -> Vec<u8> {
    let mut chunks = png_chunks(file);
    chunks.insert(1, (&name, contents));
    png_from_chunks(&chunks)
}

/// The CRC of PNG (annex D).
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

/// An interlaced PNG of 8-bit samples, its rows not filtered.
pub fn interlaced_png(samples: &[u8], width: u32, height: u32, channels: usize, colour: u8) -> Vec<u8> {
    let mut rows = Vec::new();
    for [left, across, top, down] in
        [[0_u32, 8, 0, 8], [4, 8, 0, 8], [0, 4, 4, 8], [2, 4, 0, 4], [0, 2, 2, 4], [1, 2, 0, 2], [0, 1, 1, 2]]
    {
        if left >= width {
            continue;
        }
        for y in (top..height).step_by(down as usize) {
            rows.push(0);
            for x in (left..width).step_by(across as usize) {
                let at = (y * width + x) as usize * channels;
                rows.extend(&samples[at..at + channels]);
            }
        }
    }
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, colour, 0, 0, 1]].concat();
    png_from_chunks(&[(b"IHDR", &header), (b"IDAT", &stored_zlib(&rows)), (b"IEND", b"")])
}

/// Bytes as a zlib stream that is not compressed (RFC 1950 and 1951).
fn stored_zlib(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap();
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (b + a) % 65521)
    });
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

/// A lossless WebP.
pub fn webp_of(
    samples: &[u8],
    width: u32,
    height: u32,
    colour: image_webp::ColorType,
    set: impl FnOnce(&mut WebPEncoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = WebPEncoder::new(&mut file);
    set(&mut encoder);
    encoder.encode(samples, width, height, colour).unwrap();
    file
}

pub fn webp(width: u32, height: u32) -> Vec<u8> {
    webp_of(&rgb(width, height), width, height, image_webp::ColorType::Rgb8, |_| {})
}

/// A chunk of a RIFF file.
pub fn riff_chunk(name: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let padding = &[0][..payload.len() % 2];
    [&name, &u32::try_from(payload.len()).unwrap().to_le_bytes()[..], payload, padding].concat()
}

/// A WebP of these chunks.
pub fn webp_from_chunks(chunks: &[Vec<u8>]) -> Vec<u8> {
    riff_chunk(*b"RIFF", &[&b"WEBP"[..], &chunks.concat()].concat())
}

/// An extended header of a canvas.
pub fn webp_header(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let size = |size: u32| (size - 1).to_le_bytes();
    riff_chunk(*b"VP8X", &[&[flags, 0, 0, 0], &size(width)[..3], &size(height)[..3]].concat())
}

/// A GIF with the frames given as left, top, width, height, and indices of the four colours of the quarters;
/// index 4 is transparent.
pub fn gif(width: u16, height: u16, interlaced: bool, frames: &[(u16, u16, u16, u16, Vec<u8>)]) -> Vec<u8> {
    let palette = [RED, GREEN, BLUE, YELLOW, [0; 3]].concat();
    let mut file = Vec::new();
    let mut encoder = GifEncoder::new(&mut file, width, height, &palette).unwrap();
    for (left, top, width, height, indices) in frames {
        let frame = GifFrame {
            left: *left,
            top: *top,
            width: *width,
            height: *height,
            interlaced,
            transparent: Some(4),
            buffer: Cow::Owned(if interlaced { interlace(indices, *width, *height) } else { indices.clone() }),
            ..GifFrame::default()
        };
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    file
}

fn interlace(indices: &[u8], width: u16, height: u16) -> Vec<u8> {
    [(0, 8), (4, 8), (2, 4), (1, 2)]
        .into_iter()
        .flat_map(|(first, distance)| (first..height).step_by(distance))
        .flat_map(|y| &indices[usize::from(y) * usize::from(width)..][..usize::from(width)])
        .copied()
        .collect()
}

/// Indices of the four quarters.
pub fn indices(width: u16, height: u16) -> Vec<u8> {
    let (width, height) = (u32::from(width), u32::from(height));
    (0..height).flat_map(|y| (0..width).map(move |x| u8::try_from(quarter(x, y, width, height)).unwrap())).collect()
}

pub fn simple_gif() -> Vec<u8> {
    gif(160, 120, false, &[(0, 0, 160, 120, indices(160, 120))])
}

/// Exif with nothing but an orientation.
pub fn exif(orientation: u8, little_endian: bool) -> Vec<u8> {
    if little_endian {
        [&b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation, 0, 0, 0], b"\0\0\0\0"].concat()
    } else {
        [&b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01"[..], &[0, orientation, 0, 0], b"\0\0\0\0"].concat()
    }
}

/// Small valid files of every kind, with their names.
pub fn every_kind() -> Vec<(&'static str, Vec<u8>)> {
    use jpeg_encoder::{ColorType, SamplingFactor};
    let (width, height) = (56, 40);
    let size = (width, height);
    let gray = quarters(width, height, |[red, ..]| [red]);
    let inks = quarters(width, height, |[red, green, blue]| [255 - red, 255 - green, 255 - blue, 20]);
    let faded = quarters(width, height, |[red, green, blue]| [red, green, blue, red]);
    let deep = quarters(width, height, |[red, green, blue]| [red, 1, green, 2, blue, 3]);
    let paletted = |samples: &[u8], depth| {
        png_of(samples, width, height, png::ColorType::Indexed, depth, |encoder| {
            encoder.set_palette([RED, GREEN, BLUE, YELLOW].concat());
            encoder.set_trns(&[255, 128, 0, 255][..]);
        })
    };
    let by_index: Vec<u8> = indices(56, 40);
    let packed: Vec<u8> = by_index.chunks(4).map(|four| four.iter().fold(0, |byte, index| byte << 2 | index)).collect();
    let png = |samples: &[u8], colour, depth| png_of(samples, width, height, colour, depth, |_| {});
    vec![
        ("jpeg", jpeg(width, height, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2))),
        ("jpeg with restarts", jpeg(width, height, |encoder| encoder.set_restart_interval(3))),
        (
            "jpeg, component by component",
            jpeg(width, height, |encoder| encoder.set_sampling_factor(SamplingFactor::F_4_2)),
        ),
        ("jpeg, own codes", jpeg(width, height, |encoder| encoder.set_optimized_huffman_tables(true))),
        ("jpeg, progressive", jpeg(width, height, |encoder| encoder.set_progressive(true))),
        ("jpeg, successive approximation", PROGRESSIVE.to_vec()),
        ("jpeg, arithmetic", ARITHMETIC.to_vec()),
        ("jpeg, arithmetic and progressive", ARITHMETIC_PROGRESSIVE.to_vec()),
        ("jpeg, gray", jpeg_of(&gray, size, ColorType::Luma, |_| {})),
        ("jpeg, cmyk", jpeg_of(&inks, size, ColorType::Cmyk, |_| {})),
        (
            "jpeg, profile",
            jpeg(width, height, |encoder| {
                encoder.add_icc_profile(&moxcms::ColorProfile::new_display_p3().encode().unwrap()).unwrap();
            }),
        ),
        (
            "jpeg, profile of inks",
            jpeg_of(&inks, size, ColorType::Cmyk, |encoder| encoder.add_icc_profile(CMYK_PROFILE).unwrap()),
        ),
        ("jpeg, ycck", jpeg_of(&inks, size, ColorType::CmykAsYcck, |_| {})),
        ("png", png(&rgb(width, height), png::ColorType::Rgb, png::BitDepth::Eight)),
        ("png, 16 bits", png(&deep, png::ColorType::Rgb, png::BitDepth::Sixteen)),
        ("png, alpha", png(&faded, png::ColorType::Rgba, png::BitDepth::Eight)),
        ("png, gray", png(&gray, png::ColorType::Grayscale, png::BitDepth::Eight)),
        ("png, palette", paletted(&by_index, png::BitDepth::Eight)),
        ("png, palette of 2 bits", paletted(&packed, png::BitDepth::Two)),
        ("png, interlaced", interlaced_png(&rgb(width, height), width, height, 3, 2)),
        ("webp, lossless", webp(width, height)),
        ("webp, lossless alpha", LOSSLESS_ALPHA_WEBP.to_vec()),
        ("webp, lossy", LOSSY_WEBP.to_vec()),
        ("webp, lossy alpha", LOSSY_ALPHA_WEBP.to_vec()),
        ("webp, animated", ANIMATED_WEBP.to_vec()),
        ("gif", gif(56, 40, false, &[(0, 0, 56, 40, indices(56, 40))])),
        ("gif, interlaced", gif(56, 40, true, &[(4, 2, 40, 30, indices(40, 30))])),
    ]
}
