//! The RIFF container of WebP: which bytes are the picture, and how large it says it is.

/// The parts of a file that matter for its first frame.
pub(super) struct Container<'a> {
    /// Of the canvas, in pixels.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) animated: bool,
    /// Whether anything may be transparent.
    pub(super) alpha: bool,
    pub(super) frame: Frame<'a>,
    pub(super) exif: Option<&'a [u8]>,
    pub(super) profile: Option<&'a [u8]>,
}

/// A picture on the canvas.
pub(super) struct Frame<'a> {
    pub(super) left: u32,
    pub(super) top: u32,
    /// As the bitstream itself has it: what its decoder will allocate by.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bitstream: Bitstream<'a>,
}

/// The encoded pixels.
pub(super) enum Bitstream<'a> {
    Lossless(&'a [u8]),
    Lossy { payload: &'a [u8], alpha: Option<&'a [u8]> },
}

impl<'a> Container<'a> {
    /// `None` when the file is cut off or makes no sense.
    pub(super) fn read(file: &'a [u8]) -> Option<Self> {
        let chunks = file.get(12..)?;
        let (name, header) = Chunks(chunks).next()??;
        if name != *b"VP8X" {
            let frame = Frame::read(chunks, (0, 0), false)?;
            let (width, height) = (frame.width, frame.height);
            // Here the bitstream alone says whether it has alpha.
            return Some(Self { width, height, animated: false, alpha: true, frame, exif: None, profile: None });
        }
        // What is there does not count unless the header announces it: an editor may have left it behind.
        let flags = *header.first()?;
        let announced = |flag: u8| flags & flag != 0;
        let (animated, alpha) = (announced(0b10), announced(0b1_0000));
        let (width, height) = (number(header, 4)? + 1, number(header, 7)? + 1);
        let frame = if animated {
            let animation = find(chunks, *b"ANMF")?;
            // After place, size, duration and flags, the frame has chunks of its own.
            Frame::read(animation.get(16..)?, (number(animation, 0)? * 2, number(animation, 3)? * 2), alpha)?
        } else {
            Frame::read(chunks, (0, 0), alpha)?
        };
        let exif = find(chunks, *b"EXIF").filter(|_| announced(0b1000));
        let profile = find(chunks, *b"ICCP").filter(|_| announced(0b10_0000));
        Some(Self { width, height, animated, alpha, frame, exif, profile })
    }
}

impl<'a> Frame<'a> {
    fn read(chunks: &'a [u8], (left, top): (u32, u32), has_alpha: bool) -> Option<Self> {
        let mut alpha = None;
        for chunk in Chunks(chunks) {
            let (name, payload) = chunk?;
            let (size, bitstream) = match &name {
                b"ALPH" => {
                    alpha = alpha.or(Some(payload).filter(|_| has_alpha));
                    continue;
                }
                b"VP8 " => (lossy_size(payload)?, Bitstream::Lossy { payload, alpha }),
                b"VP8L" => (lossless_size(payload)?, Bitstream::Lossless(payload)),
                _ => continue,
            };
            return Some(Self { left, top, width: size.0, height: size.1, bitstream });
        }
        None
    }
}

/// The chunks of a list; `None` for one that is cut off, and nothing after it.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Option<([u8; 4], &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let chunk = self.split();
        if chunk.is_none() {
            self.0 = &[];
        }
        Some(chunk)
    }
}

impl<'a> Chunks<'a> {
    fn split(&mut self) -> Option<([u8; 4], &'a [u8])> {
        let (name, rest) = self.0.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (payload, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        // Chunks start at even places; the last may lack its padding.
        self.0 = rest.get(payload.len() % 2..).unwrap_or_default();
        Some((*name, payload))
    }
}

/// The first whole chunk with this name.
fn find(chunks: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    Chunks(chunks).flatten().find_map(|(name, payload)| (name == wanted).then_some(payload))
}

/// A number of three bytes.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let [low, middle, high] = *bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes([low, middle, high, 0]))
}

/// The size in a VP8 key frame (RFC 6386, 9.1).
fn lossy_size(payload: &[u8]) -> Option<(u32, u32)> {
    let (header, _) = payload.split_first_chunk::<10>()?;
    let key_frame = header[0] & 1 == 0 && header[3..6] == [0x9D, 0x01, 0x2A];
    let size = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    key_frame.then(|| (size(header[6], header[7]), size(header[8], header[9])))
}

/// The size in a lossless bitstream (WebP lossless specification, 3).
fn lossless_size(payload: &[u8]) -> Option<(u32, u32)> {
    let bits = lossless_header(payload)?;
    Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
}

/// Whether a lossless picture says that it is transparent somewhere.
pub(super) fn lossless_has_alpha(payload: &[u8]) -> bool {
    lossless_header(payload).is_some_and(|bits| bits >> 28 & 1 == 1)
}

fn lossless_header(payload: &[u8]) -> Option<u32> {
    let (&signature, rest) = payload.split_first()?;
    (signature == 0x2F).then_some(u32::from_le_bytes(*rest.first_chunk()?))
}

/// The header of a lossless bitstream of this size.
pub(super) fn lossless_start(width: u32, height: u32) -> [u8; 5] {
    let [first, second, third, fourth] = (width.wrapping_sub(1) | height.wrapping_sub(1) << 14).to_le_bytes();
    [0x2F, first, second, third, fourth]
}

/// A file around a lossless bitstream that declares alpha: the decoder then writes its pixels where they
/// are wanted, instead of copying them once more without alpha.
pub(super) fn with_alpha(payload: &[u8], width: u32, height: u32) -> Option<Vec<u8>> {
    const ALPHA: u8 = 0b1_0000;
    let length = u32::try_from(payload.len()).ok()?;
    let padding = length % 2;
    let mut file = Vec::with_capacity(payload.len() + 40);
    file.extend(b"RIFF");
    file.extend(length.checked_add(30 + padding)?.to_le_bytes());
    file.extend(b"WEBPVP8X\x0A\0\0\0");
    file.extend([ALPHA, 0, 0, 0]);
    file.extend(&width.checked_sub(1)?.to_le_bytes()[..3]);
    file.extend(&height.checked_sub(1)?.to_le_bytes()[..3]);
    file.extend(b"VP8L");
    file.extend(length.to_le_bytes());
    file.extend(payload);
    file.extend((0..padding).map(|_| 0));
    Some(file)
}
