//! JPEG, decoded only as far as a thumbnail needs it.
//!
//! A JPEG holds each block of 8 by 8 samples as frequencies. A picture that is shown eight times smaller
//! needs only the lowest of each block, one that is shown four times smaller the lowest 2 by 2, and so on.
//! The rest are stepped over without being worked out, and what lies outside of the centre square is not
//! turned into samples at all. So time and memory follow the thumbnail, for progressive files too: of
//! those, decoders that give the whole picture must hold every frequency.
//!
//! The format is ITU-T T.81 (<https://www.w3.org/Graphics/JPEG/itu-t81.pdf>), Huffman coded, 8 bits.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the numbers of the format have 16 bits at most, and checked conversions of each would hide what is done"
)]

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
use crate::Rejected;
use crate::exif;
use crate::raster::{Model, Pixels};
use frame::Frame;
use progressive::Progressive;
use scan::Scan;
use segments::{Marker, Segments, Tables};

/// More scans than any encoder writes (usually 10); each costs a pass over the whole picture.
const MOST_SCANS: usize = 64;

pub(super) fn decode(upload: &[u8]) -> Result<Picture, Rejected> {
    let mut segments = Segments::new(upload);
    let mut tables = Tables::default();
    let mut metadata = Metadata::default();
    let mut frame: Option<Frame> = None;
    let mut progressive: Option<Progressive> = None;
    let mut scans = 0;

    while let Some((marker, payload)) = segments.next()? {
        match marker {
            Marker::Quantization => tables.read_quantization(payload)?,
            Marker::Huffman => tables.read_huffman(payload)?,
            Marker::RestartInterval => tables.read_restart_interval(payload)?,
            Marker::Application(number) => metadata.read(number, payload),
            Marker::Frame { progressive: is_progressive } => {
                if frame.is_some() {
                    return Err(Rejected::Damaged);
                }
                let read = Frame::read(payload)?;
                if is_progressive {
                    progressive = Some(Progressive::new(&read));
                }
                frame = Some(read);
            }
            Marker::UnsupportedFrame(kind) => {
                return Err(Rejected::UnsupportedVariant { format: "JPEG", kind });
            }
            Marker::Scan => {
                scans += 1;
                let frame = frame.as_mut().ok_or(Rejected::Damaged)?;
                if scans > MOST_SCANS {
                    return Err(Rejected::Damaged);
                }
                let scan = Scan::read(payload, frame, &tables, progressive.is_some())?;
                if let Some(progressive) = &mut progressive {
                    progressive.read(&scan, frame, &mut segments)?;
                } else {
                    baseline::read(&scan, frame, &mut segments)?;
                    if frame.is_complete() {
                        break;
                    }
                }
            }
            Marker::End => break,
            Marker::Other => {}
        }
    }

    let mut frame = frame.ok_or(Rejected::Damaged)?;
    if let Some(progressive) = progressive {
        if !segments.ended() {
            return Err(Rejected::Damaged);
        }
        progressive.finish(&mut frame);
    }
    if !frame.is_complete() {
        return Err(Rejected::Damaged);
    }
    let model = metadata.model(&frame);
    let side = frame.square.side;
    Ok(Picture {
        pixels: Pixels::Planes { side, model, planes: frame.into_planes() },
        orientation: metadata.exif.map(exif::orientation).unwrap_or_default(),
        profile: metadata.profile(),
    })
}

/// What application segments say about the colours and the way up.
#[derive(Default)]
struct Metadata<'a> {
    jfif: bool,
    /// The colour transform of the Adobe segment, when there is one.
    adobe: Option<u8>,
    exif: Option<&'a [u8]>,
    /// Parts of the profile with their numbers.
    profile: Vec<(u8, &'a [u8])>,
}

impl<'a> Metadata<'a> {
    fn read(&mut self, number: u8, payload: &'a [u8]) {
        match number {
            0 if payload.starts_with(b"JFIF\0") => self.jfif = true,
            1 if payload.starts_with(b"Exif\0\0") => self.exif = self.exif.or(Some(payload)),
            2 => {
                if let Some([number, _of, part @ ..]) = payload.strip_prefix(b"ICC_PROFILE\0") {
                    self.profile.push((*number, part));
                }
            }
            14 if payload.starts_with(b"Adobe") => self.adobe = payload.get(11).copied().or(Some(0)),
            _ => {}
        }
    }

    fn profile(mut self) -> Option<Vec<u8>> {
        if self.profile.is_empty() {
            return None;
        }
        self.profile.sort_by_key(|&(number, _)| number);
        Some(self.profile.into_iter().flat_map(|(_, part)| part).copied().collect())
    }

    /// The rules that libjpeg set and every reader follows: no segment says it plainly.
    fn model(&self, frame: &Frame) -> Model {
        match frame.components.len() {
            1 => Model::Gray,
            4 => {
                // Adobe's programs store the complements of the inks.
                let inverted = self.adobe.is_some();
                if self.adobe == Some(2) { Model::Ycck { inverted } } else { Model::Cmyk { inverted } }
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
