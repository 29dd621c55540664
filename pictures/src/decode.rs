//! The decoders, one per format.

mod gif;
mod jpeg;
mod png;
mod webp;

use crate::Rejected;
use crate::exif::Orientation;
use crate::raster::Pixels;
use crate::sniff::{self, Kind};

/// The centre square of a picture, and what its metadata says about showing it.
pub(crate) struct Picture {
    pub(crate) pixels: Pixels,
    pub(crate) orientation: Orientation,
    /// The embedded ICC profile, unchecked.
    pub(crate) profile: Option<Vec<u8>>,
}

pub(crate) fn decode(upload: &[u8]) -> Result<Picture, Rejected> {
    match sniff::kind(upload).ok_or(Rejected::UnsupportedFormat)? {
        Kind::Jpeg => jpeg::decode(upload),
        Kind::Png => png::decode(upload),
        Kind::WebP => webp::decode(upload),
        Kind::Gif => gif::decode(upload),
    }
}
