//! Decoded pixels on their way to a thumbnail.

/// What a decoder gives: the centre square of the picture, not larger than it needs to be.
#[derive(Debug)]
pub(crate) enum Pixels {
    /// Interleaved, red, green, blue, alpha; colours multiplied by alpha.
    Premultiplied { side: u32, rgba: Vec<u8> },
    /// One plane per component, as the codec holds them.
    Planes { side: u32, model: Model, planes: Vec<Plane> },
}

/// How the planes of a picture make a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    Gray,
    Rgb,
    /// BT.601 over the full range, as JFIF has it.
    YCbCr,
    /// BT.601 in the video range, as WebP has it.
    VideoYCbCr,
    /// Complements of amounts of ink: 255 is none. No file says so explicitly; Adobe's programs began it, and every reader
    /// follows.
    Cmyk,
    /// The same, the first three as `YCbCr`.
    Ycck,
}

/// One component of a picture, at a resolution of its own.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// `width * height` samples, row by row.
    pub(crate) samples: Vec<u8>,
    /// The square in this plane, in its samples.
    pub(crate) window: resample::Window,
}

/// What the samples of a [`Raster`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Gray,
    Rgb,
    /// Colours multiplied by alpha: what a filter may average without mixing in hidden colours.
    Premultiplied,
    /// Amounts of ink, 255 is full.
    Cmyk,
}

impl Layout {
    /// Samples per pixel.
    pub(crate) fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb => 3,
            Self::Premultiplied | Self::Cmyk => 4,
        }
    }
}

/// A square of interleaved pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raster {
    pub(crate) side: u32,
    pub(crate) layout: Layout,
    pub(crate) samples: Vec<u8>,
}

impl Raster {
    /// Whether nothing of what is behind the picture shows through.
    pub(crate) fn is_opaque(&self) -> bool {
        self.layout != Layout::Premultiplied
    }
}
