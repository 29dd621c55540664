//! The segments of a file, and the tables that some of them define.

use crate::Rejected;

/// What a segment is (T.81, table B.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Frame { progressive: bool },
    UnsupportedFrame(&'static str),
    Huffman,
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
            0xC0 | 0xC1 => Self::Frame { progressive: false },
            0xC2 => Self::Frame { progressive: true },
            0xC3 => Self::UnsupportedFrame("lossless"),
            0xC4 => Self::Huffman,
            0xC5..=0xC7 | 0xDE => Self::UnsupportedFrame("hierarchical"),
            0xC9..=0xCF => Self::UnsupportedFrame("arithmetic coding"),
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
            // Restart markers, the start of a picture and a temporary marker stand alone.
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

/// A Huffman table as the file has it: how many codes of each length, and what they stand for.
#[derive(Debug, Clone)]
pub(super) struct HuffmanSpec {
    pub(super) counts: [u8; 16],
    pub(super) symbols: Vec<u8>,
}

/// The tables that are in force for the next scan.
#[derive(Default)]
pub(super) struct Tables {
    /// Steps in the order of the file (zigzag).
    pub(super) quantization: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<HuffmanSpec>; 4],
    pub(super) ac: [Option<HuffmanSpec>; 4],
    /// In units of coded blocks; 0 for none.
    pub(super) restart_interval: u16,
}

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

    pub(super) fn read_restart_interval(&mut self, payload: &[u8]) -> Result<(), Rejected> {
        self.restart_interval = u16::from_be_bytes(*payload.first_chunk().ok_or(Rejected::Damaged)?);
        Ok(())
    }
}
