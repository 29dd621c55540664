//! The one thing that is read from Exif: which way up the picture is.

/// Where the first row and column of the stored picture belong, as Exif 3.0 numbers it (tag 0x0112).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Orientation {
    #[default]
    Upright,
    Mirrored,
    HalfTurned,
    Flipped,
    Transposed,
    /// Stored turned to the left: shown after a quarter turn to the right.
    TurnRight,
    Transversed,
    /// Stored turned to the right: shown after a quarter turn to the left.
    TurnLeft,
}

impl Orientation {
    fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Upright,
            2 => Self::Mirrored,
            3 => Self::HalfTurned,
            4 => Self::Flipped,
            5 => Self::Transposed,
            6 => Self::TurnRight,
            7 => Self::Transversed,
            8 => Self::TurnLeft,
            _ => return None,
        })
    }
}

const ORIENTATION_TAG: u16 = 0x0112;

/// The orientation in an Exif block (a TIFF header and its first directory, with or without the
/// `Exif\0\0` before it). Metadata that makes no sense is no reason to refuse a picture: it is shown as stored.
pub(crate) fn orientation(exif: &[u8]) -> Orientation {
    find(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)).unwrap_or_default()
}

fn find(tiff: &[u8]) -> Option<Orientation> {
    let little_endian = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let directory = {
        let bytes = *tiff.get(4..)?.first_chunk()?;
        let offset = if little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        usize::try_from(offset).ok()?
    };
    let first = directory.checked_add(2)?;
    (0..usize::from(short(directory)?))
        .map_while(|entry| first.checked_add(entry * 12))
        .find(|&at| short(at) == Some(ORIENTATION_TAG))
        .and_then(|at| short(at.checked_add(8)?))
        .and_then(Orientation::from_number)
}
