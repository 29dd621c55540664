//! The decoders, one per format.

mod gif;
mod jpeg;
mod png;
mod webp;

use crate::Rejected;
use crate::colour::{Colours, Profile};
use crate::exif::Orientation;
use crate::raster::Pixels;
use crate::sniff::{self, Kind};

/// The centre square of a picture, and what its metadata says about showing it.
pub(crate) struct Picture {
    pub(crate) pixels: Pixels,
    pub(crate) orientation: Orientation,
    /// What its colours are made of, and what the file says they look like.
    pub(crate) colours: Colours,
    pub(crate) profile: Option<Profile>,
}

pub(crate) fn decode(upload: &[u8]) -> Result<Picture, Rejected> {
    match sniff::kind(upload).ok_or(Rejected::UnsupportedFormat)? {
        Kind::Jpeg => jpeg::decode(upload),
        Kind::Png => png::decode(upload),
        Kind::WebP => webp::decode(upload),
        Kind::Gif => gif::decode(upload),
    }
}
