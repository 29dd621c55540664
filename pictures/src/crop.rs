//! The part of a picture that is shown.

use crate::{MAX_PIXELS, Rejected};

/// The centre square of a picture, in its pixels as stored. Turning and mirroring a picture keeps its
/// centre square in place, so the orientation can wait until the square is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Square {
    pub(crate) left: u32,
    pub(crate) top: u32,
    /// Width and height, at least 1.
    pub(crate) side: u32,
}

impl Square {
    /// The largest centred square of a picture with these dimensions, which come from a header and are
    /// checked here, before anything is allocated by them.
    ///
    /// # Errors
    /// The picture has no pixels, or more than [`MAX_PIXELS`].
    pub(crate) fn centred(width: u32, height: u32) -> Result<Self, Rejected> {
        if width == 0 || height == 0 {
            return Err(Rejected::Damaged);
        }
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(Rejected::TooManyPixels { width, height });
        }
        let side = width.min(height);
        Ok(Self { left: (width - side) / 2, top: (height - side) / 2, side })
    }

    /// A square inside this one with the same centre.
    pub(crate) fn inner(self, side: u32) -> Self {
        let margin = (self.side - side) / 2;
        Self { left: self.left + margin, top: self.top + margin, side }
    }
}
