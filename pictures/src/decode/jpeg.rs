//! JPEG, decoded only as far as a thumbnail needs it.
//!
//! A JPEG holds each block of 8 by 8 samples as frequencies. A picture that is shown eight times smaller
//! needs only the lowest of each block, one that is shown four times smaller the lowest 2 by 2, and so on.
//! The rest are stepped over without being worked out, and what is outside the centre square is not
//! turned into samples at all. So time and memory follow the thumbnail, for progressive files too: of
//! those, decoders that give the whole picture must hold every frequency.
//!
//! The format is ITU-T T.81 (<https://www.w3.org/Graphics/JPEG/itu-t81.pdf>): sequential and progressive, Huffman and
//! arithmetic coded, 8 bits.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the numbers of the format have 16 bits at most, and checked conversions of each would hide what is done"
)]

mod arithmetic;
mod baseline;
mod bits;
mod frame;
mod huffman;
mod inverse;
mod progressive;
mod scan;
mod segments;
#[cfg(test)]
mod tests;

use super::Picture;
use crate::colour::{Colours, Profile};
use crate::exif;
use crate::raster::{Model, Pixels};
use crate::{MAX_PIXELS, Rejected};
use frame::Frame;
use progressive::Progressive;
use scan::{Coding, Scan};
use segments::{Marker, Segments, Tables};

/// More scans than any encoder writes: usually there are ten, where one tried for the smallest file a few hundred.
const MOST_SCANS: usize = 1000;
/// Blocks that all scans visit together, as each scan is a pass over the whole picture: as many as 64 scans of all
/// components of the largest one.
const MOST_BLOCKS: usize = 64 * 3 * (MAX_PIXELS / 64) as usize;

pub(super) fn decode(upload: &[u8]) -> Result<Picture, Rejected> {
    let mut segments = Segments::new(upload);
    let mut decoder = Decoder::default();
    while let Some((marker, payload)) = segments.next()? {
        if decoder.read(marker, payload, &mut segments)? {
            break;
        }
    }
    decoder.finish(segments.ended())
}

/// What was read of a file so far.
#[derive(Default)]
struct Decoder<'a> {
    tables: Tables,
    metadata: Metadata<'a>,
    frame: Option<Frame>,
    coding: Coding,
    progressive: Option<Progressive>,
    scans: usize,
    blocks: usize,
}

impl<'a> Decoder<'a> {
    /// Reads a segment, and the scan that follows it. Returns whether the picture is complete.
    fn read(&mut self, marker: Marker, payload: &'a [u8], segments: &mut Segments<'a>) -> Result<bool, Rejected> {
        match marker {
            Marker::Quantization => self.tables.read_quantization(payload)?,
            Marker::Huffman => self.tables.read_huffman(payload)?,
            Marker::Conditioning => self.tables.read_conditioning(payload)?,
            Marker::RestartInterval => self.tables.read_restart_interval(payload)?,
            Marker::Application(number) => self.metadata.read(number, payload),
            Marker::Frame(coding) => self.read_frame(coding, payload, segments)?,
            Marker::UnsupportedFrame(kind) => return Err(Rejected::UnsupportedVariant { format: "JPEG", kind }),
            Marker::Scan => return self.read_scan(payload, segments),
            Marker::End => return Ok(true),
            Marker::Other => {}
        }
        Ok(false)
    }

    fn read_frame(&mut self, coding: Coding, payload: &[u8], segments: &Segments<'_>) -> Result<(), Rejected> {
        if self.frame.is_some() {
            return Err(Rejected::Damaged);
        }
        let frame = Frame::read(payload, || segments.height_defined_later())?;
        self.coding = coding;
        self.progressive = coding.progressive.then(|| Progressive::new(&frame));
        self.frame = Some(frame);
        Ok(())
    }

    /// Only that the file ends can follow a complete picture, which some programs leave out.
    fn read_scan(&mut self, payload: &[u8], segments: &mut Segments<'_>) -> Result<bool, Rejected> {
        let frame = self.frame.as_mut().ok_or(Rejected::Damaged)?;
        let scan = Scan::read(payload, frame, &self.tables, self.coding)?;
        self.scans += 1;
        self.blocks += scan.blocks();
        if self.scans > MOST_SCANS || self.blocks > MOST_BLOCKS {
            return Err(Rejected::UnsupportedVariant { format: "JPEG", kind: "hundreds of scans" });
        }
        match &mut self.progressive {
            Some(progressive) => {
                progressive.read(&scan, frame, segments)?;
                Ok(progressive.is_complete())
            }
            None => {
                baseline::read(&scan, frame, segments)?;
                Ok(frame.is_complete())
            }
        }
    }

    /// The picture; `ended` is whether the file says that it ends.
    fn finish(self, ended: bool) -> Result<Picture, Rejected> {
        let mut frame = self.frame.ok_or(Rejected::Damaged)?;
        if let Some(progressive) = self.progressive {
            // A file may leave out what its encoder thought too little to see, but then it has to say that it ends.
            if !progressive.is_complete() && !ended {
                return Err(Rejected::Damaged);
            }
            progressive.finish(&mut frame);
        }
        if !frame.is_complete() {
            return Err(Rejected::Damaged);
        }
        let model = self.metadata.model(&frame);
        let colours = match model {
            Model::Gray => Colours::Gray,
            Model::Cmyk | Model::Ycck => Colours::Inks,
            Model::Rgb | Model::YCbCr | Model::VideoYCbCr => Colours::Rgb,
        };
        let side = frame.square.side;
        Ok(Picture {
            pixels: Pixels::Planes { side, model, planes: frame.into_planes() },
            orientation: self.metadata.exif.map(exif::orientation).unwrap_or_default(),
            colours,
            profile: self.metadata.profile().map(Profile::Icc),
        })
    }
}

/// What application segments say about the colours and the way up.
#[derive(Default)]
struct Metadata<'a> {
    jfif: bool,
    /// The colour transform of the Adobe segment, when there is one.
    adobe: Option<u8>,
    exif: Option<&'a [u8]>,
    /// Parts of the profile, each with its number from 1 on and how many there are.
    profile: Vec<([u8; 2], &'a [u8])>,
}

impl<'a> Metadata<'a> {
    fn read(&mut self, number: u8, payload: &'a [u8]) {
        match number {
            // Shorter ones are others (JFIF 1.02).
            0 if payload.starts_with(b"JFIF\0") && payload.len() >= 14 => self.jfif = true,
            1 if payload.starts_with(b"Exif\0\0") => self.exif = self.exif.or(Some(payload)),
            2 => {
                if let Some((numbers, part)) =
                    payload.strip_prefix(b"ICC_PROFILE\0").and_then(<[u8]>::split_first_chunk)
                {
                    self.profile.push((*numbers, part));
                }
            }
            14 if payload.starts_with(b"Adobe") => self.adobe = payload.get(11).copied().or(self.adobe),
            _ => {}
        }
    }

    /// All parts together (ICC.1:2022, B.4); `None` when one is missing.
    fn profile(self) -> Option<Vec<u8>> {
        let &([_, count], _) = self.profile.first()?;
        let part = |number| self.profile.iter().find(|(numbers, _)| *numbers == [number, count]).map(|&(_, part)| part);
        let parts: Vec<&[u8]> = (1..=count).map(part).collect::<Option<_>>()?;
        Some(parts.concat())
    }

    /// The rules that libjpeg set and every reader follows: no segment says it plainly.
    fn model(&self, frame: &Frame) -> Model {
        match frame.components.len() {
            1 => Model::Gray,
            4 => {
                if matches!(self.adobe, None | Some(0)) {
                    Model::Cmyk
                } else {
                    Model::Ycck
                }
            }
            _ if self.jfif => Model::YCbCr,
            _ if self.adobe == Some(0) => Model::Rgb,
            _ if self.adobe.is_none() && frame.components.iter().map(|component| component.id).eq(*b"RGB") => {
                Model::Rgb
            }
            _ => Model::YCbCr,
        }
    }
}
