use pictures::{Format, thumbnails};

use crate::make;

const SECRET: &[u8] = b"52.5200N 13.4050E";

/// The markers of the segments of a JPEG up to its scan.
fn jpeg_markers(file: &[u8]) -> Vec<u8> {
    let mut markers = Vec::new();
    let mut at = 2;
    while file[at + 1] != 0xDA {
        assert_eq!(file[at], 0xFF);
        markers.push(file[at + 1]);
        at += 2 + usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
    }
    markers
}

#[test]
fn nothing_but_pixels_is_in_a_jpeg_thumbnail() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut file = make::jpeg(200, 150, |encoder| encoder.add_icc_profile(&profile).unwrap());
    let exif = [&b"Exif\0\0"[..], &make::exif(6, true), SECRET].concat();
    let xmp = [&b"http://ns.adobe.com/xap/1.0/\0"[..], SECRET].concat();
    for (marker, payload) in [(0xFE, SECRET), (0xED, SECRET), (0xE1, &xmp), (0xE1, &exif)] {
        file = make::with_jpeg_segment(&file, marker, payload);
    }
    let made = thumbnails(&file).unwrap();
    assert_eq!(made.format, Format::Jpeg);
    for picture in made.pictures {
        assert!(!picture.bytes.windows(SECRET.len()).any(|bytes| bytes == SECRET));
        // JFIF, quantization, frame, codes.
        let allowed = [0xE0, 0xDB, 0xC0, 0xC4];
        let markers = jpeg_markers(&picture.bytes);
        assert!(markers.iter().all(|marker| allowed.contains(marker)), "{markers:02X?}");
    }
}

#[test]
fn nothing_but_pixels_is_in_a_png_thumbnail() {
    let samples = make::quarters(64, 64, |[red, green, blue]| [red, green, blue, 100]);
    let mut file = make::png_of(&samples, 64, 64, png::ColorType::Rgba, png::BitDepth::Eight, |encoder| {
        let secret = String::from_utf8(SECRET.to_vec()).unwrap();
        encoder.add_text_chunk("Comment".to_owned(), secret).unwrap();
    });
    file = make::with_png_chunk(&file, *b"eXIf", &[&make::exif(6, true), SECRET].concat());
    file = make::with_png_chunk(&file, *b"tIME", &[7, 0xE8, 1, 1, 1, 1, 1]);
    let made = thumbnails(&file).unwrap();
    assert_eq!(made.format, Format::Png);
    for picture in made.pictures {
        let chunks = make::png_chunks(&picture.bytes);
        let names: Vec<_> = chunks.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
        assert!(names.iter().all(|name| ["IHDR", "IDAT", "IEND"].contains(&name.as_ref())), "{names:?}");
    }
}

#[test]
fn the_names_of_a_format_fit_its_bytes() {
    let jpeg = thumbnails(&make::jpeg(20, 20, |_| {})).unwrap();
    assert_eq!((jpeg.format.extension(), jpeg.format.content_type()), ("jpg", "image/jpeg"));
    assert!(jpeg.pictures.iter().all(|picture| picture.bytes.starts_with(b"\xFF\xD8\xFF")));
    let png = thumbnails(make::LOSSLESS_ALPHA_WEBP).unwrap();
    assert_eq!((png.format.extension(), png.format.content_type()), ("png", "image/png"));
    assert!(png.pictures.iter().all(|picture| picture.bytes.starts_with(b"\x89PNG")));
}
