use jpeg_encoder::{ColorType, SamplingFactor};
use pictures::Format;
use png::BitDepth;

use crate::make::{self, BLUE, GREEN, RED, YELLOW};
use crate::seen::{assert_quarters, close, see};

const QUARTERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, YELLOW];

#[test]
fn a_jpeg_of_every_subsampling_and_of_any_size_looks_the_same() {
    use SamplingFactor::{F_1_1, F_1_2, F_1_4, F_2_1, F_2_2, F_2_4, F_4_1, F_4_2};
    for sampling in [F_1_1, F_2_1, F_1_2, F_2_2, F_4_1, F_4_2, F_1_4, F_2_4] {
        // From enlarged, over kept whole, to decoded at an eighth of its size.
        for (width, height) in [(33, 41), (100, 130), (513, 600), (1400, 1024), (2900, 2050), (900, 6200)] {
            if width.max(height) > 2000 && sampling != F_2_2 {
                continue;
            }
            let file = make::jpeg(width, height, |encoder| encoder.set_sampling_factor(sampling));
            assert_quarters(&file, QUARTERS, &format!("{width}x{height}, {sampling:?}"));
        }
    }
}

#[test]
fn a_progressive_jpeg_looks_like_any_other() {
    for (width, height) in [(100, 130), (1400, 1024), (4200, 4100)] {
        let file = make::jpeg(width, height, |encoder| encoder.set_progressive(true));
        assert_quarters(&file, QUARTERS, &format!("{width}x{height}"));
    }
    assert_quarters(make::PROGRESSIVE, QUARTERS, "successive approximation");
    assert_quarters(make::PROGRESSIVE_LARGE, QUARTERS, "successive approximation, decoded smaller");
}

#[test]
fn a_jpeg_with_restarts_or_its_own_codes_looks_like_any_other() {
    assert_quarters(&make::jpeg(200, 150, |encoder| encoder.set_restart_interval(1)), QUARTERS, "restarts");
    let progressive = make::jpeg(200, 150, |encoder| {
        encoder.set_restart_interval(5);
        encoder.set_progressive(true);
    });
    assert_quarters(&progressive, QUARTERS, "progressive with restarts");
    let optimized = make::jpeg(200, 150, |encoder| encoder.set_optimized_huffman_tables(true));
    assert_quarters(&optimized, QUARTERS, "own codes");
}

#[test]
fn a_gray_jpeg_stays_gray() {
    let samples = make::quarters(90, 60, |[red, ..]| [red]);
    let file = make::jpeg_of(&samples, (90, 60), ColorType::Luma, |_| {});
    let (format, pictures) = see(&file);
    assert_eq!(format, Format::Jpeg);
    assert!(pictures.iter().all(|picture| close(picture.rgb_at(0.25, 0.25), [RED[0]; 3], 4)));
}

#[test]
fn a_jpeg_that_stores_rgb_is_not_mistaken_for_ycbcr() {
    let file = make::jpeg_of(&make::rgb(80, 80), (80, 80), ColorType::Ycbcr, |encoder| {
        encoder.set_sampling_factor(SamplingFactor::F_1_1);
    });
    // Without the JFIF segment, an Adobe segment tells.
    let bare = [&file[..2], &file[20..]].concat();
    assert_quarters(&make::with_jpeg_segment(&bare, 0xEE, b"Adobe\0d\0\0\0\0\0"), QUARTERS, "Adobe");
}

#[test]
fn every_depth_and_colour_type_of_png_is_read() {
    use png::ColorType::{Grayscale, GrayscaleAlpha, Rgb, Rgba};
    let (width, height) = (90, 62);
    let png = |samples: &[u8], colour, depth| make::png_of(samples, width, height, colour, depth, |_| {});
    let deep = make::quarters(width, height, |[r, g, b]| [r, r, g, g, b, b]);
    let deep_alpha = make::quarters(width, height, |[r, g, b]| [r, 7, g, 7, b, 7, 255, 255]);
    let opaque = make::quarters(width, height, |[r, g, b]| [r, g, b, 255]);
    assert_quarters(&png(&make::rgb(width, height), Rgb, BitDepth::Eight), QUARTERS, "8 bits");
    assert_quarters(&png(&deep, Rgb, BitDepth::Sixteen), QUARTERS, "16 bits");
    assert_quarters(&png(&opaque, Rgba, BitDepth::Eight), QUARTERS, "8 bits, alpha");
    assert_quarters(&png(&deep_alpha, Rgba, BitDepth::Sixteen), QUARTERS, "16 bits, alpha");

    let grays = QUARTERS.map(|[red, ..]| [red; 3]);
    let gray = make::quarters(width, height, |[r, ..]| [r]);
    let gray_alpha = make::quarters(width, height, |[r, ..]| [r, 255]);
    let deep_gray = make::quarters(width, height, |[r, ..]| [r, 0]);
    assert_quarters(&png(&gray, Grayscale, BitDepth::Eight), grays, "gray");
    assert_quarters(&png(&gray_alpha, GrayscaleAlpha, BitDepth::Eight), grays, "gray, alpha");
    assert_quarters(&png(&deep_gray, Grayscale, BitDepth::Sixteen), grays, "gray, 16 bits");
}

#[test]
fn a_png_of_few_bits_with_and_without_palette_is_read() {
    let indices = make::indices(88, 64);
    for (depth, bits) in [(BitDepth::Two, 2_u8), (BitDepth::Four, 4), (BitDepth::Eight, 8)] {
        let packed: Vec<u8> = indices
            .chunks(usize::from(8 / bits))
            .map(|samples| {
                samples.iter().fold(0, |byte: u8, index| byte.checked_shl(u32::from(bits)).unwrap_or(0) | index)
            })
            .collect();
        let file = make::png_of(&packed, 88, 64, png::ColorType::Indexed, depth, |encoder| {
            encoder.set_palette(QUARTERS.concat());
        });
        assert_quarters(&file, QUARTERS, &format!("palette of {bits} bits"));
    }
    // Black and white by one bit each: the left half is black.
    let row = [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
    let file = make::png_of(&row.repeat(64), 64, 64, png::ColorType::Grayscale, BitDepth::One, |_| {});
    assert_quarters(&file, [[0; 3], [255; 3], [0; 3], [255; 3]], "one bit");
}

#[test]
fn an_interlaced_png_looks_like_any_other() {
    for (width, height) in [(33, 90), (1500, 1200)] {
        let file = make::interlaced_png(&make::rgb(width, height), width, height, 3, 2);
        assert_quarters(&file, QUARTERS, &format!("{width}x{height}"));
    }
    let gray = make::quarters(2110, 2090, |[red, ..]| [red]);
    let file = make::interlaced_png(&gray, 2110, 2090, 1, 0);
    assert_quarters(&file, QUARTERS.map(|[red, ..]| [red; 3]), "made smaller while it is read");
    // Some passes of these have no pixels at all.
    for (width, height) in [(1, 1), (2, 5), (5, 2), (3, 1)] {
        see(&make::interlaced_png(&make::rgb(width, height), width, height, 3, 2));
    }
}

#[test]
fn the_transparency_of_a_png_palette_or_of_one_colour_is_kept() {
    let palette = make::png_of(&make::indices(64, 64), 64, 64, png::ColorType::Indexed, BitDepth::Eight, |encoder| {
        encoder.set_palette(QUARTERS.concat());
        encoder.set_trns(&[255, 128, 0][..]);
    });
    let (format, pictures) = see(&palette);
    assert_eq!(format, Format::Png);
    for picture in pictures {
        assert!(close(picture.at(0.25, 0.25), [RED[0], RED[1], RED[2], 255], 3));
        assert!(close(picture.at(0.75, 0.25), [GREEN[0], GREEN[1], GREEN[2], 128], 3));
        assert_eq!(picture.at(0.25, 0.75)[3], 0);
        assert_eq!(picture.at(0.75, 0.75)[3], 255);
    }
    let colour: Vec<u8> = BLUE.iter().flat_map(|&sample| [0, sample]).collect();
    let one = make::with_png_chunk(&make::png(64, 64), *b"tRNS", &colour);
    let (format, pictures) = see(&one);
    assert_eq!(format, Format::Png);
    assert!(pictures.iter().all(|picture| picture.at(0.25, 0.75)[3] == 0 && picture.at(0.25, 0.25)[3] == 255));
}

#[test]
fn colours_that_alpha_hides_do_not_bleed_into_those_that_show() {
    // Opaque red beside invisible green, in a picture that is made smaller, and in one that is enlarged.
    for size in [32, 700, 2500] {
        let samples =
            make::quarters(
                size,
                size,
                |rgb| {
                    if rgb == RED || rgb == BLUE { [230, 30, 30, 255] } else { [0, 255, 0, 0] }
                },
            );
        let file = make::png_of(&samples, size, size, png::ColorType::Rgba, BitDepth::Eight, |_| {});
        let (_, pictures) = see(&file);
        for picture in pictures {
            for x in 0..picture.size {
                let [red, green, blue, alpha] = picture.at(f64::from(x) / f64::from(picture.size - 1), 0.5);
                // A sharp filter makes an edge a little stronger, but never of another colour.
                assert!(
                    alpha < 64 || close([red, green, blue], [230, 30, 30], 20),
                    "{size}: {red} {green} {blue} {alpha}"
                );
            }
        }
    }
}

#[test]
fn a_picture_with_alpha_that_hides_nothing_becomes_a_jpeg() {
    let samples = make::quarters(64, 64, |[r, g, b]| [r, g, b, 255]);
    let file = make::png_of(&samples, 64, 64, png::ColorType::Rgba, BitDepth::Eight, |_| {});
    assert_eq!(see(&file).0, Format::Jpeg);
    // What is transparent outside of the square does not count.
    let mut wide = make::quarters(128, 64, |[r, g, b]| [r, g, b, 255]);
    wide[3] = 0;
    let file = make::png_of(&wide, 128, 64, png::ColorType::Rgba, BitDepth::Eight, |_| {});
    assert_eq!(see(&file).0, Format::Jpeg);
}

#[test]
fn a_webp_of_every_kind_is_read() {
    for (width, height) in [(3, 2), (160, 120), (1300, 1100), (2100, 2100)] {
        if width > 3 {
            assert_quarters(&make::webp(width, height), QUARTERS, &format!("lossless, {width}x{height}"));
        }
    }
    assert_quarters(make::LOSSY_WEBP, QUARTERS, "lossy");
    assert_quarters(make::ANIMATED_WEBP, QUARTERS, "animated");
    for (name, file) in [("lossy", make::LOSSY_ALPHA_WEBP), ("lossless", make::LOSSLESS_ALPHA_WEBP)] {
        assert_quarters(file, QUARTERS, name);
        let (format, pictures) = see(file);
        assert_eq!(format, Format::Png, "{name}");
        for picture in pictures {
            assert_eq!(picture.at(0.1, 0.1)[3], 255, "{name}");
            assert!(picture.at(0.5, 0.5)[3] < 3, "{name}");
        }
    }
}

#[test]
fn a_frame_of_an_animated_webp_is_placed_where_it_belongs() {
    let frame = make::webp(40, 30);
    let bitstream = &frame[12..];
    let mut animation = vec![10, 0, 0, 5, 0, 0, 39, 0, 0, 29, 0, 0, 100, 0, 0, 0];
    animation.extend(bitstream);
    let file = make::webp_from_chunks(&[
        make::webp_header(0b1_0010, 80, 80),
        make::riff_chunk(*b"ANIM", &[0; 6]),
        make::riff_chunk(*b"ANMF", &animation),
    ]);
    let (format, pictures) = see(&file);
    assert_eq!(format, Format::Png);
    // From 20, 10 to 60, 40 on a canvas of 80 by 80.
    for picture in pictures {
        assert_eq!(picture.at(0.1, 0.1)[3], 0);
        assert_eq!(picture.at(0.5, 0.75)[3], 0);
        assert!(close(picture.at(0.35, 0.2), [RED[0], RED[1], RED[2], 255], 3));
        assert!(close(picture.at(0.65, 0.4), [YELLOW[0], YELLOW[1], YELLOW[2], 255], 3));
    }
}

#[test]
fn a_gif_shows_its_first_frame() {
    let black = vec![4; 160 * 120];
    let whole = (0, 0, 160, 120, make::indices(160, 120));
    for interlaced in [false, true] {
        let frames = [whole.clone(), (0, 0, 160, 120, black.clone())];
        assert_quarters(&make::gif(160, 120, interlaced, &frames), QUARTERS, "animated");
    }
    let large = make::gif(2300, 2200, true, &[(0, 0, 2300, 2200, make::indices(2300, 2200))]);
    assert_quarters(&large, QUARTERS, "large");
}

#[test]
fn a_gif_frame_is_placed_where_it_belongs_on_its_canvas() {
    let (format, pictures) = see(&make::gif(100, 100, false, &[(20, 30, 40, 40, make::indices(40, 40))]));
    assert_eq!(format, Format::Png);
    for picture in pictures {
        assert_eq!(picture.at(0.1, 0.5)[3], 0);
        assert_eq!(picture.at(0.7, 0.5)[3], 0);
        assert!(close(picture.at(0.3, 0.4), [RED[0], RED[1], RED[2], 255], 3));
        assert!(close(picture.at(0.5, 0.6), [YELLOW[0], YELLOW[1], YELLOW[2], 255], 3));
    }
}

/// Chromium, Pillow and sharp agree: the canvas becomes 60 by 70.
#[test]
fn a_first_gif_frame_that_reaches_over_the_canvas_makes_it_grow() {
    let (format, pictures) = see(&make::gif(50, 50, false, &[(20, 30, 40, 40, make::indices(40, 40))]));
    assert_eq!(format, Format::Png);
    for picture in pictures {
        // Of its centre square the frame has the right two thirds, from 25 of 60 down.
        assert_eq!(picture.at(0.2, 0.6)[3], 0);
        assert_eq!(picture.at(0.6, 0.3)[3], 0);
        assert!(close(picture.at(0.45, 0.55), [RED[0], RED[1], RED[2], 255], 3));
        assert!(close(picture.at(0.9, 0.95), [YELLOW[0], YELLOW[1], YELLOW[2], 255], 3));
    }
}

/// Reported by users of Pillow (issue 8920): a screen of 0 by 0 or 45240 by 45240 around a frame of 240 by 240.
#[test]
fn a_gif_whose_screen_makes_no_sense_shows_its_frame() {
    for screen in [0_u16, 45_240, u16::MAX] {
        let mut file = make::gif(240, 240, false, &[(0, 0, 240, 240, make::indices(240, 240))]);
        file[6..8].copy_from_slice(&screen.to_le_bytes());
        file[8..10].copy_from_slice(&screen.to_le_bytes());
        assert_quarters(&file, QUARTERS, &screen.to_string());
    }
    // A frame far out on such a screen is still shown.
    let mut file = make::gif(100, 100, false, &[(60_000, 60_000, 100, 100, make::indices(100, 100))]);
    file[6..10].fill(0xFF);
    assert_quarters(&file, QUARTERS, "far out");
}

#[test]
fn a_png_with_broken_animation_or_colours_shows_its_picture() {
    let file = make::png(64, 64);
    for (name, contents) in [
        (b"acTL", &[0; 8][..]),
        (b"fcTL", &[7; 26]),
        (b"fcTL", b""),
        (b"mDCV", b"\0"),
        (b"cLLI", b""),
        (b"cICP", b""),
        (b"cICP", &[1, 13, 0, 9]),
    ] {
        assert_quarters(&make::with_png_chunk(&file, *name, contents), QUARTERS, &format!("{name:?}"));
    }
}

/// Chromium, Pillow and sharp show it.
#[test]
fn a_png_that_lacks_nothing_but_its_end_is_whole() {
    let file = make::png(64, 64);
    let mut chunks = make::png_chunks(&file);
    assert_eq!(chunks.pop().unwrap().0, b"IEND");
    assert_quarters(&make::png_from_chunks(&chunks), QUARTERS, "without IEND");
}

/// Chromium, Pillow and sharp show it.
#[test]
fn a_gif_with_an_unknown_extension_shows_its_frame() {
    let file = make::simple_gif();
    let frame = file.windows(5).position(|bytes| bytes == b"\x2C\0\0\0\0").unwrap();
    let control = file[..frame].windows(2).rposition(|bytes| bytes == b"\x21\xF9").unwrap();
    let unknown = [&file[..control], b"\x21\x99\x03abc\0", &file[control..]].concat();
    assert_quarters(&unknown, QUARTERS, "unknown extension");
}

/// Reported by users of libjpeg-turbo (issue 163) and zune-image (issue 167).
#[test]
fn a_jpeg_that_lacks_nothing_but_its_end_is_whole() {
    for (name, file) in [
        ("sequential", make::jpeg(160, 120, |_| {})),
        ("progressive", make::jpeg(160, 120, |encoder| encoder.set_progressive(true))),
        ("successive approximation", make::PROGRESSIVE.to_vec()),
        ("large", make::PROGRESSIVE_LARGE.to_vec()),
        ("arithmetic", make::ARITHMETIC.to_vec()),
    ] {
        assert!(file.ends_with(&[0xFF, 0xD9]), "{name}");
        let cut = &file[..file.len() - 2];
        // Where arithmetic coding ends, only a marker tells.
        if name != "arithmetic" {
            assert_quarters(cut, QUARTERS, name);
        }
        for rest in [&b"\xFF\xE1\x7F\xFF"[..], b"\xFF\xFE\0\x04ab"] {
            assert_quarters(&[cut, rest].concat(), QUARTERS, name);
        }
    }
}

#[test]
fn a_progressive_jpeg_without_its_last_scan_and_its_end_is_damaged() {
    for file in [make::PROGRESSIVE, make::PROGRESSIVE_LARGE] {
        let last = file.windows(2).rposition(|bytes| bytes == [0xFF, 0xDA]).unwrap();
        assert_eq!(pictures::thumbnails(&file[..last]).unwrap_err().code(), "damaged");
        // One that says that it ends there is less sharp, and whole.
        assert_quarters(&[&file[..last], &[0xFF, 0xD9]].concat(), QUARTERS, "less sharp");
    }
}

/// Reported by users of jpeg-decoder (issue 76): frames of Motion JPEG leave out the tables of T.81, annex K.
#[test]
fn a_jpeg_without_huffman_tables_has_the_standard_ones() {
    for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_2_2] {
        let file = make::jpeg(160, 120, |encoder| encoder.set_sampling_factor(sampling));
        let bare = make::without_jpeg_segments(&file, 0xC4);
        assert!(bare.len() + 400 < file.len());
        assert_eq!(pictures::thumbnails(&bare), pictures::thumbnails(&file));
    }
    let gray = make::quarters(90, 60, |[red, ..]| [red]);
    let file = make::jpeg_of(&gray, (90, 60), ColorType::Luma, |_| {});
    assert_eq!(pictures::thumbnails(&make::without_jpeg_segments(&file, 0xC4)), pictures::thumbnails(&file));
}

/// Both are shown by Chromium, Pillow and sharp, and were refused.
#[test]
fn an_arithmetic_jpeg_looks_like_any_other() {
    let huffman = pictures::thumbnails(make::PROGRESSIVE).unwrap();
    for (name, file) in [("sequential", make::ARITHMETIC), ("progressive", make::ARITHMETIC_PROGRESSIVE)] {
        assert_quarters(file, QUARTERS, name);
        // They were made from it without loss.
        assert!(pictures::thumbnails(file).unwrap() == huffman, "{name}");
    }
}

#[test]
fn a_jpeg_that_tells_its_height_behind_its_scan_is_read() {
    let file = make::jpeg(160, 120, |_| {});
    let frame = make::frame_marker(&file);
    let mut later = file.clone();
    later[frame + 5..frame + 7].fill(0);
    later.truncate(later.len() - 2);
    later.extend([0xFF, 0xDC, 0, 4, 0, 120, 0xFF, 0xD9]);
    assert!(pictures::thumbnails(&later) == pictures::thumbnails(&file));
}

#[test]
fn the_flags_of_a_webp_decide_which_of_its_chunks_count() {
    let mut linear = moxcms::ColorProfile::new_srgb();
    let curve = moxcms::ToneReprCurve::Parametric(vec![1.0]);
    (linear.red_trc, linear.green_trc, linear.blue_trc) = (Some(curve.clone()), Some(curve.clone()), Some(curve));
    linear.cicp = None;
    let linear = make::riff_chunk(*b"ICCP", &linear.encode().unwrap());
    let exif = make::riff_chunk(*b"EXIF", &make::exif(3, true));
    let quarters = make::webp(64, 64)[12..].to_vec();
    let turned = [YELLOW, BLUE, GREEN, RED];
    for (flags, seen) in [(0, QUARTERS), (0b1000, turned)] {
        let file = make::webp_from_chunks(&[make::webp_header(flags, 64, 64), quarters.clone(), exif.clone()]);
        assert_quarters(&file, seen, "Exif");
    }
    for (flags, seen) in [(0, 230), (0b10_0000, 244)] {
        let file = make::webp_from_chunks(&[make::webp_header(flags, 64, 64), linear.clone(), quarters.clone()]);
        assert!(see(&file).1[2].rgb_at(0.25, 0.25)[0].abs_diff(seen) < 4, "profile");
    }
    for file in [make::LOSSY_ALPHA_WEBP, make::LOSSLESS_ALPHA_WEBP] {
        // The lossless one has no extended header; its alpha is announced by itself.
        let extended = if &file[12..16] == b"VP8X" {
            file.to_vec()
        } else {
            make::webp_from_chunks(&[make::webp_header(0b1_0000, 160, 120), file[12..].to_vec()])
        };
        assert_eq!(see(&extended).0, Format::Png);
        let mut opaque = extended;
        opaque[20] = 0;
        assert_eq!(see(&opaque).0, Format::Jpeg);
    }
}
