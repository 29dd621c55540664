use pictures::{Format, thumbnails};

use crate::make;
use crate::seen::{close, see};

#[test]
fn the_square_is_cut_from_the_centre() {
    // Three fields side by side, or one above the other, of which the middle one is square.
    let field = |at: u32, size: u32| {
        if at < size / 3 {
            [200, 0, 0]
        } else if at < size / 3 * 2 {
            [0, 200, 0]
        } else {
            [0, 0, 200]
        }
    };
    for (width, height) in [(900, 300), (300, 900), (2700, 900), (900, 2700)] {
        let samples: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| if width > height { field(x, width) } else { field(y, height) })
            .collect();
        let jpeg = make::jpeg_of(&samples, (width, height), jpeg_encoder::ColorType::Rgb, |_| {});
        let png = make::png_of(&samples, width, height, png::ColorType::Rgb, png::BitDepth::Eight, |_| {});
        let webp = make::webp_of(&samples, width, height, image_webp::ColorType::Rgb8, |_| {});
        for file in [jpeg, png, webp] {
            let (_, pictures) = see(&file);
            for picture in pictures {
                // The colour of the neighbours reaches in by a pixel at most.
                for (x, y) in [(0.04, 0.04), (0.96, 0.04), (0.04, 0.96), (0.96, 0.96), (0.5, 0.5)] {
                    let seen = picture.rgb_at(x, y);
                    assert!(close(seen, [0, 200, 0], 12), "{width}x{height} at {x}, {y}: {seen:?}");
                }
            }
        }
    }
}

#[test]
fn a_tiny_picture_is_enlarged() {
    let file = make::png_of(&[10, 200, 90], 1, 1, png::ColorType::Rgb, png::BitDepth::Eight, |_| {});
    let (format, pictures) = see(&file);
    assert_eq!(format, Format::Jpeg);
    assert!(pictures.iter().all(|picture| close(picture.rgb_at(0.5, 0.5), [10, 200, 90], 4)));
    assert!(thumbnails(&make::jpeg(1, 1, |_| {})).is_ok());
    assert!(thumbnails(&make::jpeg(1, 3000, |_| {})).is_ok());
    assert!(thumbnails(&make::jpeg(3000, 2, |encoder| encoder.set_progressive(true))).is_ok());
}

#[test]
fn fine_detail_becomes_an_even_gray_and_not_a_pattern() {
    // A checkerboard of single pixels, at sizes that no thumbnail divides evenly.
    for size in [1111, 2345, 3001] {
        let samples: Vec<u8> =
            (0..size).flat_map(|y| (0..size).map(move |x| if (x + y) % 2 == 0 { 0 } else { 255 })).collect();
        let file = make::png_of(&samples, size, size, png::ColorType::Grayscale, png::BitDepth::Eight, |_| {});
        let (_, pictures) = see(&file);
        for picture in pictures {
            for step in 1..40 {
                let place = f64::from(step) / 40.0;
                let seen = picture.rgb_at(place, place);
                assert!(close(seen, [128; 3], 10), "{size} to {}: {seen:?}", picture.size);
            }
        }
    }
}
