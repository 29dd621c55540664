//! Looks at thumbnails, with other decoders than the crate's own where there are any.

use std::io::Cursor;

use pictures::{Format, SIZES, Thumbnail, Thumbnails, thumbnails};

/// A decoded thumbnail.
pub struct Seen {
    pub size: u32,
    /// Red, green, blue, alpha.
    pixels: Vec<[u8; 4]>,
}

impl Seen {
    fn new(picture: &Thumbnail, format: Format) -> Self {
        let (width, height, pixels) = match format {
            Format::Jpeg => {
                let mut decoder = zune_jpeg::JpegDecoder::new(Cursor::new(&picture.bytes[..]));
                let samples = decoder.decode().unwrap();
                let (width, height) = decoder.dimensions().unwrap();
                let pixels = samples.as_chunks().0.iter().map(|&[red, green, blue]| [red, green, blue, 255]);
                (u32::try_from(width).unwrap(), u32::try_from(height).unwrap(), pixels.collect())
            }
            Format::Png => {
                let mut reader = png::Decoder::new(Cursor::new(&picture.bytes[..])).read_info().unwrap();
                assert_eq!(reader.output_color_type(), (png::ColorType::Rgba, png::BitDepth::Eight));
                let mut samples = vec![0; reader.output_buffer_size().unwrap()];
                let info = reader.next_frame(&mut samples).unwrap();
                (info.width, info.height, samples.as_chunks().0.to_vec())
            }
        };
        assert_eq!((width, height), (picture.size, picture.size), "the size it says");
        assert_eq!(pixels.len(), (width * height) as usize);
        Self { size: picture.size, pixels }
    }

    /// The pixel at a place between 0 (left, top) and 1 (right, bottom).
    pub fn at(&self, x: f64, y: f64) -> [u8; 4] {
        let last = f64::from(self.size - 1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the size")]
        let at = ((y * last).round() * f64::from(self.size) + (x * last).round()) as usize;
        self.pixels[at]
    }

    pub fn rgb_at(&self, x: f64, y: f64) -> [u8; 3] {
        let [red, green, blue, _] = self.at(x, y);
        [red, green, blue]
    }

    /// The middles of the four quarters: above left and right, below left and right.
    pub fn quarters(&self) -> [[u8; 3]; 4] {
        [self.rgb_at(0.25, 0.25), self.rgb_at(0.75, 0.25), self.rgb_at(0.25, 0.75), self.rgb_at(0.75, 0.75)]
    }
}

/// The three thumbnails of an upload that is fine.
pub fn see(upload: &[u8]) -> (Format, [Seen; 3]) {
    let made = thumbnails(upload).unwrap();
    assert_eq!(made.pictures.each_ref().map(|picture| picture.size), SIZES);
    (made.format, look(&made))
}

pub fn look(made: &Thumbnails) -> [Seen; 3] {
    made.pictures.each_ref().map(|picture| Seen::new(picture, made.format))
}

/// Whether colours look the same, with room for what lossy formats do.
pub fn close<const CHANNELS: usize>(left: [u8; CHANNELS], right: [u8; CHANNELS], most: u8) -> bool {
    left.iter().zip(right).all(|(&left, right)| left.abs_diff(right) <= most)
}

#[track_caller]
pub fn assert_quarters(upload: &[u8], expected: [[u8; 3]; 4], name: &str) {
    let (_, pictures) = see(upload);
    for picture in pictures {
        for (seen, expected) in picture.quarters().into_iter().zip(expected) {
            assert!(close(seen, expected, 12), "{name} at {}: {seen:?} instead of {expected:?}", picture.size);
        }
    }
}
