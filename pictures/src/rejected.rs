//! Why an upload is refused.

use crate::{MAX_BYTES, MAX_PIXELS};

/// Why no thumbnails were made. The text is for the person who uploaded the picture; programs read
/// [`Rejected::code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// More than [`MAX_BYTES`].
    #[error(
        "This file has {} KB, but at most {} KB are allowed. Please upload a smaller picture.",
        bytes / 1024, MAX_BYTES / 1024
    )]
    TooLarge {
        /// Length of the upload in bytes.
        bytes: usize,
    },
    /// More than [`MAX_PIXELS`], by its header.
    #[error(
        "This picture has {width} by {height} pixels, but at most {} megapixels are allowed. \
         Please make it smaller and upload it again.",
        MAX_PIXELS / 1_000_000
    )]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Neither JPEG, PNG, WebP nor GIF by its first bytes.
    #[error(
        "This file is not a JPEG, PNG, WebP or GIF picture. Please convert it to one of these, preferably \
         JPEG, and upload it again."
    )]
    UnsupportedFormat,
    /// One of the formats, in a form that hardly any program writes or shows.
    #[error(
        "This picture is an uncommon kind of {format} ({kind}). Please save it again as a normal JPEG and upload that."
    )]
    UnsupportedVariant {
        /// Name of the format.
        format: &'static str,
        /// What is rare about it.
        kind: &'static str,
    },
    /// Decoding it takes more memory or time than one picture may have.
    #[error(
        "This picture takes too much memory or time to process. Please open it, save it again as a normal JPEG, and upload \
         the new file."
    )]
    TooExpensive,
    /// Reading it was interrupted, and what interrupts once may do so again.
    #[error(
        "Processing this picture was interrupted. Please open it, save it again as a JPEG, and upload the new file."
    )]
    Interrupted,
    /// A decoder stopped at a fault of its own. What it says is in the log, and worth a look.
    #[error("This picture could not be read. Please open it, save it again as a JPEG, and upload the new file.")]
    DecoderFailed,
    /// Cut off, or changed on its way.
    #[error("This picture is damaged or incomplete. Please open it, save it again, and upload the new file.")]
    Damaged,
}

impl Rejected {
    /// A stable name of the reason, in `snake_case`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::UnsupportedFormat => "unsupported_format",
            Self::UnsupportedVariant { .. } => "unsupported_variant",
            Self::TooExpensive => "too_expensive",
            Self::Interrupted => "interrupted",
            Self::DecoderFailed => "decoder_failed",
            Self::Damaged => "damaged",
        }
    }
}
