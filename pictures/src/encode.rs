//! Writes a thumbnail as a file.

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder};

use crate::Rejected;
use crate::colour;
use crate::raster::{Layout, Raster};

/// JPEG quality (1 to 100): above it files grow faster than they look better.
const JPEG_QUALITY: u8 = 84;

/// What a thumbnail is encoded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For pictures without transparency.
    Jpeg,
    /// For pictures that are transparent somewhere.
    Png,
}

impl Format {
    /// The usual end of a file name, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }

    /// The media type, for `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

/// The file. Neither encoder is given any metadata, so there is none in it: no Exif, no profile (readers
/// take a picture without one as sRGB, which it is), no comment.
pub(crate) fn encode(square: &Raster, format: Format) -> Result<Vec<u8>, Rejected> {
    let mut file = Vec::new();
    let written = match format {
        Format::Jpeg => write_jpeg(square, &mut file),
        Format::Png => write_png(square, &mut file),
    };
    // Neither can fail on a picture of a fixed small size; if one does, that is no reason to stop.
    written.ok_or(Rejected::Damaged)?;
    Ok(file)
}

fn write_jpeg(square: &Raster, file: &mut Vec<u8>) -> Option<()> {
    let side = u16::try_from(square.side).ok()?;
    let colour = if square.layout == Layout::Gray { ColorType::Luma } else { ColorType::Rgb };
    let mut encoder = Encoder::new(file, JPEG_QUALITY);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    // Without codes of the picture's own, which would make files 3 percent smaller: the encoder then writes one
    // component after another, which `zune-jpeg` shows in wrong colours.
    encoder.encode(&square.samples, side, side, colour).ok()
}

fn write_png(square: &Raster, file: &mut Vec<u8>) -> Option<()> {
    let mut encoder = png::Encoder::new(file, square.side, square.side);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&colour::straight(&square.samples)).ok()?;
    writer.finish().ok()
}
