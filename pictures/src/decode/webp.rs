//! WebP: its container, its lossless and lossy pictures, and the first frame of an animation.
//!
//! The container is read here and the payload is given to the decoder alone, so that the sizes in it are
//! checked before it allocates, and so that no frame is held twice.
//! (<https://developers.google.com/speed/webp/docs/riff_container>)

mod alpha;
mod container;

use std::io::Cursor;

use image_webp::WebPDecoder;
use image_webp::vp8::{Frame as Lossy, Vp8Decoder};
use resample::Window;

use self::alpha::AlphaPlane;
use self::container::{Bitstream, Container, Frame};
use super::Picture;
use crate::Rejected;
use crate::colour::{self, Colours, Profile};
use crate::crop::Square;
use crate::exif;
use crate::raster::{Model, Pixels, Plane};
use crate::shrink::{Lanes, Row, Shrink};

pub(super) fn decode(upload: &[u8]) -> Result<Picture, Rejected> {
    let container = Container::read(upload).ok_or(Rejected::Damaged)?;
    let square = Square::centred(container.width, container.height)?;
    let frame = &container.frame;
    Square::centred(frame.width, frame.height)?;
    let covers =
        (frame.left, frame.top) == (0, 0) && (frame.width, frame.height) == (container.width, container.height);
    if !covers && !container.animated {
        return Err(Rejected::Damaged);
    }
    let pixels = match frame.bitstream {
        Bitstream::Lossless(payload) => from_lossless(payload, frame, container.alpha, square)?,
        Bitstream::Lossy { payload, alpha: None } if covers => planes(lossy(payload)?, square),
        Bitstream::Lossy { payload, alpha } => {
            let alpha = alpha.map(|alpha| AlphaPlane::decode(alpha, frame.width, frame.height)).transpose()?;
            from_lossy(&lossy(payload)?, alpha, frame, square)
        }
    };
    Ok(Picture {
        pixels,
        orientation: container.exif.map(exif::orientation).unwrap_or_default(),
        colours: Colours::Rgb,
        profile: container.profile.map(|profile| Profile::Icc(profile.to_vec())),
    })
}

fn lossy(payload: &[u8]) -> Result<Lossy, Rejected> {
    Vp8Decoder::decode_frame(payload).map_err(|_| Rejected::Damaged)
}

/// Decodes a lossless bitstream to red, green, blue, alpha.
fn lossless(payload: &[u8], width: u32, height: u32) -> Result<Vec<u8>, Rejected> {
    let file = container::with_alpha(payload, width, height).ok_or(Rejected::Damaged)?;
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(|_| Rejected::Damaged)?;
    let size = decoder.output_buffer_size().ok_or(Rejected::Damaged)?;
    let mut rgba = vec![0; size];
    decoder.read_image(&mut rgba).map_err(|_| Rejected::Damaged)?;
    Ok(rgba)
}

fn from_lossless(payload: &[u8], frame: &Frame, alpha: bool, square: Square) -> Result<Pixels, Rejected> {
    let hides = alpha && container::lossless_has_alpha(payload);
    let rgba = lossless(payload, frame.width, frame.height)?;
    let mut shrink = Shrink::new(square);
    for (y, row) in (frame.top..).zip(rgba.chunks_exact(frame.width as usize * 4)) {
        let row_of_canvas = Row { y, left: frame.left, step: 1 };
        if hides {
            shrink.add(row_of_canvas, row, |&rgba| Lanes::straight(rgba));
        } else {
            shrink.add(row_of_canvas, row, |&[red, green, blue, _]| Lanes::opaque([red, green, blue]));
        }
    }
    Ok(shrink.finish())
}

/// The planes of a lossy picture without alpha, to be resized as they are.
fn planes(picture: Lossy, square: Square) -> Pixels {
    let (width, height) = (u32::from(picture.width), u32::from(picture.height));
    let stride = width.div_ceil(16) * 16;
    let plane = |samples, width, height, stride, scale: f64| Plane {
        width,
        height,
        samples: without_padding(samples, width, height, stride),
        window: Window {
            left: f64::from(square.left) * scale,
            top: f64::from(square.top) * scale,
            width: f64::from(square.side) * scale,
            height: f64::from(square.side) * scale,
        },
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let planes = vec![
        plane(picture.ybuf, width, height, stride, 1.0),
        plane(picture.ubuf, half_width, half_height, stride / 2, 0.5),
        plane(picture.vbuf, half_width, half_height, stride / 2, 0.5),
    ];
    Pixels::Planes { side: square.side, model: Model::VideoYCbCr, planes }
}

/// Moves the rows of a plane together, in place.
fn without_padding(mut samples: Vec<u8>, width: u32, height: u32, stride: u32) -> Vec<u8> {
    let (width, height, stride) = (width as usize, height as usize, stride as usize);
    if width < stride {
        for y in 1..height {
            samples.copy_within(y * stride..y * stride + width, y * width);
        }
    }
    samples.truncate(width * height);
    samples
}

/// A lossy picture that has alpha, or that covers only a part of its canvas.
fn from_lossy(picture: &Lossy, mut alpha: Option<AlphaPlane>, frame: &Frame, square: Square) -> Pixels {
    let (width, height) = (frame.width as usize, frame.height as usize);
    let stride = width.div_ceil(16) * 16;
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut shrink = Shrink::new(square);
    let mut rgba = vec![[0; 4]; width];
    let (mut cb, mut cr) = (vec![0; half_width], vec![0; half_width]);
    for (line, y) in (0..).zip(0..height) {
        let near = y / 2;
        let far = neighbour(y, half_height);
        for (mixed, plane) in [(&mut cb, &picture.ubuf), (&mut cr, &picture.vbuf)] {
            let near = &plane[near * (stride / 2)..];
            let far = &plane[far * (stride / 2)..];
            for ((mixed, &near), &far) in mixed.iter_mut().zip(near).zip(far) {
                *mixed = blend(near, far);
            }
        }
        let luma = &picture.ybuf[y * stride..];
        for (x, (pixel, &luma)) in rgba.iter_mut().zip(luma).enumerate() {
            let (near, far) = (x / 2, neighbour(x, half_width));
            let [red, green, blue] = colour::video_pixel([luma, blend(cb[near], cb[far]), blend(cr[near], cr[far])]);
            *pixel = [red, green, blue, 255];
        }
        if let Some(alpha) = &mut alpha {
            for (pixel, &alpha) in rgba.iter_mut().zip(alpha.next_row()) {
                pixel[3] = alpha;
            }
        }
        let row = Row { y: frame.top + line, left: frame.left, step: 1 };
        shrink.add(row, rgba.as_flattened(), |&rgba| Lanes::straight(rgba));
    }
    shrink.finish()
}

/// The second nearest colour sample: colours lie in the middle of two by two pixels.
fn neighbour(position: usize, samples: usize) -> usize {
    if position.is_multiple_of(2) { (position / 2).saturating_sub(1) } else { (position / 2 + 1).min(samples - 1) }
}

#[inline]
fn blend(near: u8, far: u8) -> u8 {
    ((u16::from(near) * 3 + u16::from(far) + 2) / 4).to_le_bytes()[0]
}
