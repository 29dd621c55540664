//! The segments of a file, and the tables that some of them define.

use super::scan::Coding;
use crate::Rejected;

/// What a segment is (T.81, table B.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Frame(Coding),
    UnsupportedFrame(&'static str),
    Huffman,
    Conditioning,
    Quantization,
    RestartInterval,
    Scan,
    End,
    Application(u8),
    Other,
}

impl Marker {
    fn new(code: u8) -> Self {
        match code {
            0xC0 | 0xC1 => Self::Frame(Coding { progressive: false, arithmetic: false }),
            0xC2 => Self::Frame(Coding { progressive: true, arithmetic: false }),
            0xC3 | 0xCB => Self::UnsupportedFrame("lossless"),
            0xC4 => Self::Huffman,
            0xC5..=0xC7 | 0xCD..=0xCF | 0xDE => Self::UnsupportedFrame("hierarchical"),
            0xC9 => Self::Frame(Coding { progressive: false, arithmetic: true }),
            0xCA => Self::Frame(Coding { progressive: true, arithmetic: true }),
            0xCC => Self::Conditioning,
            0xD9 => Self::End,
            0xDA => Self::Scan,
            0xDB => Self::Quantization,
            0xDD => Self::RestartInterval,
            0xE0..=0xEF => Self::Application(code - 0xE0),
            _ => Self::Other,
        }
    }
}

/// Walks through a file.
pub(super) struct Segments<'a> {
    file: &'a [u8],
    position: usize,
    ended: bool,
}

impl<'a> Segments<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self { file, position: 2, ended: false }
    }

    /// The next segment and its payload. After a scan, what is left of its coded data is stepped over.
    ///
    /// # Errors
    /// A segment is longer than the file.
    pub(super) fn next(&mut self) -> Result<Option<(Marker, &'a [u8])>, Rejected> {
        loop {
            let Some(rest) = self.file.get(self.position..) else { return Ok(None) };
            let Some(start) = rest.windows(2).position(|pair| pair[0] == 0xFF && is_marker(pair[1])) else {
                return Ok(None);
            };
            let code = rest[start + 1];
            self.position += start + 2;
            // Restart markers, the start of a picture and a temporary marker have no payload.
            if matches!(code, 0xD0..=0xD8 | 0x01) {
                continue;
            }
            let marker = Marker::new(code);
            if marker == Marker::End {
                self.ended = true;
                return Ok(Some((marker, &[])));
            }
            let segment = &self.file[self.position..];
            let length = usize::from(u16::from_be_bytes(*segment.first_chunk().ok_or(Rejected::Damaged)?));
            let payload = segment.get(2..length).ok_or(Rejected::Damaged)?;
            self.position += length;
            return Ok(Some((marker, payload)));
        }
    }

    /// Whether the end of the picture has been seen.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The height that a segment behind the first scan defines (T.81, B.2.5), for a frame that says nothing about it.
    pub(super) fn height_defined_later(&self) -> Option<u16> {
        let rest = self.rest();
        // In coded data no byte but a marker's follows 0xFF, so nothing else looks like this there.
        let scan = rest.windows(2).position(|pair| pair == [0xFF, 0xDA])?;
        let segment = rest[scan..].windows(6).find(|bytes| bytes[..4] == [0xFF, 0xDC, 0, 4])?;
        Some(u16::from_be_bytes([segment[4], segment[5]])).filter(|&height| height != 0)
    }

    /// What follows the last segment: after the header of a scan, its coded data.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.file[self.position..]
    }

    /// Goes on after `bytes` of [`Self::rest`].
    pub(super) fn skip(&mut self, bytes: usize) {
        self.position += bytes;
    }
}

/// Whether a byte after 0xFF makes a marker: 0 is a coded 0xFF, and 0xFF fills.
fn is_marker(byte: u8) -> bool {
    byte != 0 && byte != 0xFF
}

/// A Huffman table as the file has it: how many codes of each length, and the symbols that they encode.
#[derive(Debug, Clone)]
pub(super) struct HuffmanSpec {
    pub(super) counts: [u8; 16],
    pub(super) symbols: Vec<u8>,
}

impl HuffmanSpec {
    fn new(counts: [u8; 16], symbols: &[u8]) -> Self {
        Self { counts, symbols: symbols.to_vec() }
    }
}

/// How an arithmetic coder chooses its contexts (T.81, F.1.4.4.1.2 and F.1.4.4.2.1): for differences of the lowest
/// frequency the bounds, in bits, of what is small; for the others the last place that counts as low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Conditioning {
    pub(super) lower: u8,
    pub(super) upper: u8,
    pub(super) low_places: u32,
}

impl Default for Conditioning {
    fn default() -> Self {
        Self { lower: 0, upper: 1, low_places: 5 }
    }
}

/// The tables that are in force for the next scan.
pub(super) struct Tables {
    /// Steps in the order of the file (zigzag).
    pub(super) quantization: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<HuffmanSpec>; 4],
    pub(super) ac: [Option<HuffmanSpec>; 4],
    pub(super) dc_conditioning: [Conditioning; 4],
    pub(super) ac_conditioning: [Conditioning; 4],
    /// In units of coded blocks; 0 for none.
    pub(super) restart_interval: u16,
}

impl Default for Tables {
    /// With the Huffman codes of T.81, K.3, for brightness and colours: the frames of Motion JPEG, as webcams send them, leave
    /// them out.
    fn default() -> Self {
        let levels: Vec<u8> = (0..=11).collect();
        let dc = |counts| Some(HuffmanSpec::new(counts, &levels));
        Self {
            quantization: [None; 4],
            dc: [
                dc([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
                dc([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]),
                None,
                None,
            ],
            ac: [
                Some(HuffmanSpec::new([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125], BRIGHTNESS)),
                Some(HuffmanSpec::new([0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119], COLOURS)),
                None,
                None,
            ],
            dc_conditioning: Default::default(),
            ac_conditioning: Default::default(),
            restart_interval: 0,
        }
    }
}

/// Symbols of the frequencies of brightness (T.81, table K.5), by the length of their codes.
#[rustfmt::skip]
const BRIGHTNESS: &[u8] = &[
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32,
    0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16,
    0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45,
    0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94,
    0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6,
    0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8,
    0xD9, 0xDA, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];

/// The same for colours (T.81, table K.6).
#[rustfmt::skip]
const COLOURS: &[u8] = &[
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81,
    0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0, 0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34,
    0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44,
    0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92,
    0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4,
    0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6,
    0xD7, 0xD8, 0xD9, 0xDA, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];

impl Tables {
    pub(super) fn read_quantization(&mut self, mut payload: &[u8]) -> Result<(), Rejected> {
        while let Some((&head, rest)) = payload.split_first() {
            let slot = self.quantization.get_mut(usize::from(head & 15)).ok_or(Rejected::Damaged)?;
            let width = if head >> 4 == 0 { 1 } else { 2 };
            let (steps, rest) = rest.split_at_checked(64 * width).ok_or(Rejected::Damaged)?;
            let mut table = [0; 64];
            for (step, bytes) in table.iter_mut().zip(steps.chunks_exact(width)) {
                *step = bytes.iter().fold(0, |step, &byte| step << 8 | u16::from(byte));
            }
            *slot = Some(table);
            payload = rest;
        }
        Ok(())
    }

    pub(super) fn read_huffman(&mut self, mut payload: &[u8]) -> Result<(), Rejected> {
        while let Some((&head, rest)) = payload.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(Rejected::Damaged)?;
            let length = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(length).ok_or(Rejected::Damaged)?;
            let slots = match head >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(Rejected::Damaged),
            };
            let slot = slots.get_mut(usize::from(head & 15)).ok_or(Rejected::Damaged)?;
            *slot = Some(HuffmanSpec { counts: *counts, symbols: symbols.to_vec() });
            payload = rest;
        }
        Ok(())
    }

    /// T.81, B.2.4.3.
    pub(super) fn read_conditioning(&mut self, payload: &[u8]) -> Result<(), Rejected> {
        for &[head, value] in payload.as_chunks::<2>().0 {
            let (of, conditioning) = match head >> 4 {
                0 if value & 15 <= value >> 4 => {
                    (&mut self.dc_conditioning, Conditioning { lower: value & 15, upper: value >> 4, low_places: 0 })
                }
                1 if (1..=63).contains(&value) => (
                    &mut self.ac_conditioning,
                    Conditioning { low_places: u32::from(value), ..Conditioning::default() },
                ),
                _ => return Err(Rejected::Damaged),
            };
            *of.get_mut(usize::from(head & 15)).ok_or(Rejected::Damaged)? = conditioning;
        }
        Ok(())
    }

    pub(super) fn read_restart_interval(&mut self, payload: &[u8]) -> Result<(), Rejected> {
        self.restart_interval = u16::from_be_bytes(*payload.first_chunk().ok_or(Rejected::Damaged)?);
        Ok(())
    }
}
