use pictures::Format;

use crate::make::{self, BLUE, GREEN, RED, YELLOW};
use crate::seen::{assert_quarters, see};

/// What is seen of red and green above blue and yellow, by the number in Exif.
const SEEN: [(u8, [[u8; 3]; 4]); 8] = [
    (1, [RED, GREEN, BLUE, YELLOW]),
    (2, [GREEN, RED, YELLOW, BLUE]),
    (3, [YELLOW, BLUE, GREEN, RED]),
    (4, [BLUE, YELLOW, RED, GREEN]),
    (5, [RED, BLUE, GREEN, YELLOW]),
    (6, [BLUE, RED, YELLOW, GREEN]),
    (7, [YELLOW, GREEN, BLUE, RED]),
    (8, [GREEN, YELLOW, RED, BLUE]),
];

fn exif_segment(orientation: u8, little_endian: bool) -> Vec<u8> {
    [&b"Exif\0\0"[..], &make::exif(orientation, little_endian)].concat()
}

#[test]
fn every_orientation_of_a_jpeg_puts_each_corner_in_its_place() {
    let file = make::jpeg(300, 200, |_| {});
    for (number, expected) in SEEN {
        for little_endian in [true, false] {
            let turned = make::with_jpeg_segment(&file, 0xE1, &exif_segment(number, little_endian));
            assert_quarters(&turned, expected, &format!("orientation {number}"));
        }
    }
}

#[test]
fn every_orientation_of_a_png_puts_each_corner_in_its_place() {
    let file = make::png(120, 200);
    for (number, expected) in SEEN {
        let turned = make::with_png_chunk(&file, *b"eXIf", &make::exif(number, false));
        assert_quarters(&turned, expected, &format!("orientation {number}"));
    }
}

#[test]
fn a_png_whose_exif_comes_after_its_pixels_is_turned_too() {
    let file = make::png(120, 200);
    let exif = make::exif(6, true);
    let mut chunks = make::png_chunks(&file);
    chunks.insert(chunks.len() - 1, (b"eXIf", &exif));
    assert_quarters(&make::png_from_chunks(&chunks), SEEN[5].1, "late Exif");
}

#[test]
fn every_orientation_of_a_webp_puts_each_corner_in_its_place() {
    for (number, expected) in SEEN {
        let turned = make::webp_of(&make::rgb(90, 60), 90, 60, image_webp::ColorType::Rgb8, |encoder| {
            encoder.set_exif_metadata(make::exif(number, true));
        });
        assert_quarters(&turned, expected, &format!("orientation {number}"));
    }
}

#[test]
fn a_transparent_picture_is_turned_with_its_alpha() {
    let samples = make::quarters(60, 40, |rgb| [rgb[0], rgb[1], rgb[2], if rgb == RED { 0 } else { 255 }]);
    let file = make::png_of(&samples, 60, 40, png::ColorType::Rgba, png::BitDepth::Eight, |_| {});
    let (format, pictures) = see(&make::with_png_chunk(&file, *b"eXIf", &make::exif(3, true)));
    assert_eq!(format, Format::Png);
    for picture in pictures {
        assert_eq!(picture.at(0.75, 0.75)[3], 0);
        assert_eq!(picture.at(0.25, 0.25)[3], 255);
    }
}

#[test]
fn exif_that_makes_no_sense_leaves_the_picture_as_it_is() {
    let file = make::jpeg(90, 60, |_| {});
    let good = exif_segment(6, true);
    let mut senseless = vec![exif_segment(0, true), exif_segment(9, false), b"Exif\0\0nothing".to_vec()];
    senseless.extend((6..good.len() - 10).map(|end| good[..end].to_vec()));
    let mut far = good.clone();
    far[10..14].copy_from_slice(&u32::MAX.to_le_bytes());
    senseless.push(far);
    for exif in senseless {
        assert_quarters(&make::with_jpeg_segment(&file, 0xE1, &exif), SEEN[0].1, &format!("{exif:02X?}"));
    }
}
