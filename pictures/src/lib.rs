//! Turns the bytes of an uploaded profile picture into three square thumbnails.
//!
//! The upload is not trusted: its format is read from its content, its size from its header before a
//! pixel is decoded, and nothing of its metadata reaches the thumbnails. The steps, one module each:
//!
//! 1. `sniff` names the format, or refuses it.
//! 2. `decode` gives the centre square of the picture, already made smaller where the format allows it
//!    while it is read, so that memory follows the square and not the upload.
//! 3. `resize` makes that square at most as large as the largest thumbnail.
//! 4. `colour` turns it into sRGB, and `orient` turns it upright: both on few pixels.
//! 5. `encode` writes each size as JPEG, or as PNG when the picture is transparent anywhere.
//!
//! It is a pure function of the bytes: no clock, no files, no threads. What decoders may use is limited around it, by
//! [`worker`].

mod colour;
mod crop;
mod decode;
mod encode;
mod exif;
mod orient;
mod raster;
mod rejected;
mod resize;
mod shrink;
mod sniff;
pub mod worker;

pub use encode::Format;
pub use rejected::Rejected;

/// Width and height of the thumbnails, in pixels, smallest first.
pub const SIZES: [u32; 3] = [64, 256, 512];

/// The largest upload that is looked at, in bytes.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;

/// The largest picture that is decoded, in pixels (width times height): the largest that phones take
/// without a special mode, 48 megapixels, fits.
pub const MAX_PIXELS: u64 = 50_000_000;

/// Side of the square from which the smaller thumbnails are made, in pixels.
const LARGEST: u32 = SIZES[2];

/// One picture in every size of [`SIZES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnails {
    /// What all three are encoded as.
    pub format: Format,
    /// The pictures in the order of [`SIZES`].
    pub pictures: [Thumbnail; 3],
}

/// One encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Width and height in pixels.
    pub size: u32,
    /// The whole file, without any metadata.
    pub bytes: Vec<u8>,
}

/// Decodes an uploaded JPEG, PNG, WebP or GIF and gives its centre square in every size of [`SIZES`],
/// upright and in sRGB.
///
/// # Errors
/// [`Rejected`], in words for the person who uploaded it.
pub fn thumbnails(upload: &[u8]) -> Result<Thumbnails, Rejected> {
    if upload.len() > MAX_BYTES {
        return Err(Rejected::TooLarge { bytes: upload.len() });
    }
    // None is known to be left, but the decoders of others have had inputs that made them panic, and were
    // without a release that mends it for months. The owner of such a picture is told, and the log has the place.
    std::panic::catch_unwind(|| make(upload)).unwrap_or(Err(Rejected::DecoderFailed))
}

fn make(upload: &[u8]) -> Result<Thumbnails, Rejected> {
    let picture = decode::decode(upload)?;
    let square = resize::at_most(picture.pixels, LARGEST)?;
    let square = colour::to_srgb(square, picture.colours, picture.profile.as_ref());
    let square = orient::upright(square, picture.orientation);
    let format = if square.is_opaque() { Format::Jpeg } else { Format::Png };
    let [small, medium, large] = SIZES;
    let thumbnail = |size| -> Result<Thumbnail, Rejected> {
        Ok(Thumbnail { size, bytes: encode::encode(&resize::exactly(&square, size)?, format)? })
    };
    Ok(Thumbnails { format, pictures: [thumbnail(small)?, thumbnail(medium)?, thumbnail(large)?] })
}
