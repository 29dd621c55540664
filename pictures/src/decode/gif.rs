//! GIF: the first frame, at its position on the canvas.
//!
//! The size of the canvas in the header is often wrong, and readers have learned not to trust it: a first frame that
//! reaches over it makes it grow, and where no canvas can be that large, it ends with the frame.

use gif::{ColorOutput, DecodeOptions};

use super::Picture;
use crate::Rejected;
use crate::colour::{Colours, Profile};
use crate::crop::Square;
use crate::exif::Orientation;
use crate::shrink::{Lanes, Row, Shrink};

/// First row and distance of rows of the four passes of an interlaced frame (`GIF89a`, appendix E).
const PASSES: [[u16; 2]; 4] = [[0, 8], [4, 8], [2, 4], [1, 2]];

pub(super) fn decode(upload: &[u8]) -> Result<Picture, Rejected> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // Unknown extensions say how long they are.
    options.allow_unknown_blocks(true);
    let mut decoder = options.read_info(upload).map_err(|_| Rejected::Damaged)?;
    let (canvas_width, canvas_height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    let frame = decoder.next_frame_info().map_err(|_| Rejected::Damaged)?.ok_or(Rejected::Damaged)?;
    let (mut left, mut top) = (u32::from(frame.left), u32::from(frame.top));
    let (width, height) = (frame.width, frame.height);
    let (interlaced, transparent) = (frame.interlaced, frame.transparent);
    // All of the frame is read, so it must not be more than the canvas may be.
    let frame_alone = Square::centred(u32::from(width), u32::from(height))?;
    let (right, bottom) = (left + u32::from(width), top + u32::from(height));
    let canvas = Square::centred(canvas_width.max(right), canvas_height.max(bottom));
    let square = canvas.or_else(|_| Square::centred(right, bottom)).unwrap_or_else(|_| {
        (left, top) = (0, 0);
        frame_alone
    });

    // Indices without a colour show nothing, like the one that is declared transparent.
    let mut colours = [Lanes::default(); 256];
    let (palette, _) = decoder.palette().map_err(|_| Rejected::Damaged)?.as_chunks::<3>();
    for (colour, &rgb) in colours.iter_mut().zip(palette) {
        *colour = Lanes::opaque(rgb);
    }
    if let Some(index) = transparent {
        colours[usize::from(index)] = Lanes::default();
    }

    let mut shrink = Shrink::new(square);
    let mut indices = vec![0; usize::from(width)];
    let passes = if interlaced { &PASSES[..] } else { &[[0, 1]] };
    for &[first, distance] in passes {
        for y in (first..height).step_by(usize::from(distance)) {
            if !decoder.fill_buffer(&mut indices).map_err(|_| Rejected::Damaged)? {
                return Err(Rejected::Damaged);
            }
            let row = Row { y: top + u32::from(y), left, step: 1 };
            shrink.add(row, &indices, |&[index]| colours[usize::from(index)]);
        }
    }
    Ok(Picture {
        pixels: shrink.finish(),
        orientation: Orientation::default(),
        colours: Colours::Rgb,
        profile: decoder.icc_profile().map(|profile| Profile::Icc(profile.to_vec())),
    })
}
