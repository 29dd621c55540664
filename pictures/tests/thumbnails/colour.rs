use jpeg_encoder::ColorType;
use moxcms::ColorProfile;
use pictures::Format;

use crate::make::{self, BLUE, CMYK_PROFILE, GREEN, RED, YELLOW};
use crate::seen::{assert_quarters, close, see};

/// One colour over the whole picture.
fn plain<const CHANNELS: usize>(pixel: [u8; CHANNELS]) -> Vec<u8> {
    pixel.repeat(64 * 64)
}

fn png_with_profile(samples: &[u8], colour: png::ColorType, profile: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut info = png::Info::with_size(64, 64);
    info.color_type = colour;
    info.icc_profile = Some(profile.into());
    let mut writer = png::Encoder::with_info(&mut file, info).unwrap().write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    file
}

fn jpeg_with_profile(samples: &[u8], colour: ColorType, profile: &[u8]) -> Vec<u8> {
    make::jpeg_of(samples, (64, 64), colour, |encoder| encoder.add_icc_profile(profile).unwrap())
}

/// Of the Display P3 colour 160, 120, 80, by the matrices of CSS Color 4 (section 17).
const P3: [u8; 3] = [160, 120, 80];
const P3_IN_SRGB: [u8; 3] = [166, 119, 72];

#[test]
fn a_wide_gamut_profile_is_followed_to_srgb() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let webp = make::webp_of(&plain(P3), 64, 64, image_webp::ColorType::Rgb8, |encoder| {
        encoder.set_icc_profile(profile.clone());
    });
    for (name, file) in [
        ("jpeg", jpeg_with_profile(&plain(P3), ColorType::Rgb, &profile)),
        ("png", png_with_profile(&plain(P3), png::ColorType::Rgb, &profile)),
        ("webp", webp),
    ] {
        let (_, pictures) = see(&file);
        for picture in pictures {
            let seen = picture.rgb_at(0.5, 0.5);
            assert!(close(seen, P3_IN_SRGB, 3), "{name}: {seen:?}");
        }
    }
}

#[test]
fn a_profile_is_followed_under_transparency_too() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let [red, green, blue] = P3;
    let file = png_with_profile(&plain([red, green, blue, 200]), png::ColorType::Rgba, &profile);
    let (format, pictures) = see(&file);
    assert_eq!(format, Format::Png);
    for picture in pictures {
        let [red, green, blue] = P3_IN_SRGB;
        assert!(close(picture.at(0.5, 0.5), [red, green, blue, 200], 3), "{:?}", picture.at(0.5, 0.5));
    }
}

#[test]
fn a_gray_profile_is_followed() {
    // Linear light: 50 of 255 is much brighter on a screen.
    let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    for file in [
        jpeg_with_profile(&plain([50]), ColorType::Luma, &profile),
        png_with_profile(&plain([50]), png::ColorType::Grayscale, &profile),
    ] {
        let (_, pictures) = see(&file);
        assert!(close(pictures[2].rgb_at(0.5, 0.5), [122; 3], 4), "{:?}", pictures[2].rgb_at(0.5, 0.5));
    }
}

#[test]
fn a_profile_in_several_segments_out_of_order_is_put_together() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let (first, second) = profile.split_at(profile.len() / 2);
    let mut file = make::jpeg_of(&plain(P3), (64, 64), ColorType::Rgb, |_| {});
    for (number, part) in [(1, first), (2, second)] {
        file = make::with_jpeg_segment(&file, 0xE2, &[b"ICC_PROFILE\0", &[number, 2][..], part].concat());
    }
    let (_, pictures) = see(&file);
    assert!(close(pictures[2].rgb_at(0.5, 0.5), P3_IN_SRGB, 3));
}

#[test]
fn a_profile_that_lacks_a_part_is_ignored() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let (first, second) = profile.split_at(profile.len() / 2);
    let bare = make::jpeg_of(&plain(P3), (64, 64), ColorType::Rgb, |_| {});
    for parts in
        [&[([1, 2], first)][..], &[([2, 2], second)], &[([0, 1], &profile)], &[([1, 2], first), ([2, 3], second)]]
    {
        let file = parts.iter().rev().fold(bare.clone(), |file, (numbers, part)| {
            make::with_jpeg_segment(&file, 0xE2, &[b"ICC_PROFILE\0", &numbers[..], part].concat())
        });
        let (_, pictures) = see(&file);
        assert!(close(pictures[2].rgb_at(0.5, 0.5), P3, 3), "{:?}", pictures[2].rgb_at(0.5, 0.5));
    }
}

#[test]
fn where_a_png_has_a_broken_profile_the_next_chunk_counts() {
    let profile = ColorProfile::new_gray_with_gamma(2.2).encode().unwrap();
    for profile in [&b"nonsense"[..], &profile, CMYK_PROFILE] {
        let file = png_with_profile(&plain(P3), png::ColorType::Rgb, profile);
        let file = make::with_png_chunk(&file, *b"gAMA", &100_000_u32.to_be_bytes());
        let (_, pictures) = see(&file);
        assert!(close(pictures[2].rgb_at(0.5, 0.5), [208, 183, 152], 3), "{:?}", pictures[2].rgb_at(0.5, 0.5));
    }
}

#[test]
fn a_broken_profile_is_ignored() {
    let good = ColorProfile::new_display_p3().encode().unwrap();
    let cut = &good[..good.len() / 3];
    for profile in [&b"nonsense"[..], cut, CMYK_PROFILE] {
        let file = jpeg_with_profile(&plain(P3), ColorType::Rgb, profile);
        let (_, pictures) = see(&file);
        assert!(close(pictures[2].rgb_at(0.5, 0.5), P3, 3), "{:?}", pictures[2].rgb_at(0.5, 0.5));
    }
}

#[test]
fn inks_without_a_profile_become_the_colours_they_stand_for() {
    let inks = make::quarters(64, 64, |[red, green, blue]| [255 - red, 255 - green, 255 - blue, 0]);
    for colour in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let file = make::jpeg_of(&inks, (64, 64), colour, |_| {});
        assert_quarters(&file, [RED, GREEN, BLUE, YELLOW], "inverted");
    }
    // A transform that no segment may name is taken for the other, as by libjpeg.
    let mut other = make::jpeg_of(&inks, (64, 64), ColorType::CmykAsYcck, |_| {});
    let adobe = other.windows(5).position(|bytes| bytes == b"Adobe").unwrap();
    other[adobe + 11] = 1;
    assert_quarters(&other, [RED, GREEN, BLUE, YELLOW], "another transform");
}

/// Reported by users of sharp (issue 1649): such a picture was black all over. Chromium, Pillow and sharp take inks for their
/// complements, with Adobe's segment and without.
#[test]
fn inks_that_no_segment_explains_are_complements() {
    let inks = make::quarters(64, 64, |[red, green, blue]| [255 - red, 255 - green, 255 - blue, 0]);
    let file = make::without_jpeg_segments(&make::jpeg_of(&inks, (64, 64), ColorType::Cmyk, |_| {}), 0xEE);
    assert_quarters(&file, [RED, GREEN, BLUE, YELLOW], "without a segment");
    let as_they_are: Vec<u8> = inks.iter().map(|ink| 255 - ink).collect();
    let file = make::without_jpeg_segments(&make::jpeg_of(&as_they_are, (64, 64), ColorType::Cmyk, |_| {}), 0xEE);
    assert_quarters(&file, [[0; 3]; 4], "stored as they are");
    // A profile is followed in the same sense.
    let adobe = jpeg_with_profile(&inks, ColorType::Cmyk, CMYK_PROFILE);
    let (_, with) = see(&adobe);
    let (_, without) = see(&make::without_jpeg_segments(&adobe, 0xEE));
    assert_eq!(with[2].quarters(), without[2].quarters());
}

/// sRGB's primaries around samples of linear light.
fn linear_profile() -> ColorProfile {
    let mut profile = ColorProfile::new_srgb();
    let curve = moxcms::ToneReprCurve::Parametric(vec![1.0]);
    (profile.red_trc, profile.green_trc, profile.blue_trc) = (Some(curve.clone()), Some(curve.clone()), Some(curve));
    profile.cicp = None;
    profile
}

#[test]
fn a_profile_of_another_kind_than_the_pixels_is_ignored() {
    let colour = linear_profile().encode().unwrap();
    let gray = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    for (name, file) in [
        ("gray jpeg", jpeg_with_profile(&plain([50]), ColorType::Luma, &colour)),
        ("gray png", png_with_profile(&plain([50]), png::ColorType::Grayscale, &colour)),
        ("jpeg", jpeg_with_profile(&plain([50; 3]), ColorType::Rgb, &gray)),
        ("png", png_with_profile(&plain([50; 3]), png::ColorType::Rgb, &gray)),
        ("inks", png_with_profile(&plain([50; 3]), png::ColorType::Rgb, CMYK_PROFILE)),
    ] {
        let (_, pictures) = see(&file);
        assert!(close(pictures[2].rgb_at(0.5, 0.5), [50; 3], 2), "{name}: {:?}", pictures[2].rgb_at(0.5, 0.5));
    }
}

/// A PNG of one colour, with these chunks before its pixels; an `iCCP` holds a profile of linear light.
fn png_with_chunks(pixel: [u8; 3], chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut file = if chunks.iter().any(|(name, _)| *name == b"iCCP") {
        png_with_profile(&plain(pixel), png::ColorType::Rgb, &linear_profile().encode().unwrap())
    } else {
        make::png_of(&plain(pixel), 64, 64, png::ColorType::Rgb, png::BitDepth::Eight, |_| {})
    };
    for (name, contents) in chunks.iter().rev().filter(|(name, _)| *name != b"iCCP") {
        file = make::with_png_chunk(&file, **name, contents);
    }
    file
}

/// PNG, third edition, 4.3: `cICP` goes before `iCCP`, then `sRGB`, then `gAMA` and `cHRM`. The expected values are those that
/// Chromium shows.
#[test]
fn a_png_follows_its_usable_colour_chunk_of_highest_precedence() {
    let gamma = |gamma: u32| (b"gAMA", gamma.to_be_bytes().to_vec());
    let primaries = |values: [u32; 8]| (b"cHRM", values.iter().flat_map(|value| value.to_be_bytes()).collect());
    let of_srgb = primaries([31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6000]);
    let of_p3 = primaries([31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6000]);
    let points = |primaries, transfer| (b"cICP", vec![primaries, transfer, 0, 1]);
    let (profile, srgb) = ((b"iCCP", Vec::new()), (b"sRGB", vec![0]));
    let linear = [208, 183, 152];
    for (chunks, seen) in [
        (vec![gamma(100_000)], linear),
        (vec![gamma(100_000), of_srgb], linear),
        (vec![gamma(55_000)], [175, 138, 98]),
        (vec![gamma(45_455)], P3),
        (vec![gamma(45_455), of_p3.clone()], [169, 119, 71]),
        (vec![of_p3.clone()], P3),
        (vec![srgb, gamma(100_000), of_p3], P3),
        (vec![profile.clone()], linear),
        (vec![profile.clone(), gamma(45_455)], linear),
        (vec![points(12, 13)], P3_IN_SRGB),
        (vec![points(1, 13), profile.clone()], P3),
        (vec![points(1, 13), gamma(100_000)], P3),
        (vec![points(1, 8)], linear),
        (vec![points(9, 14)], [177, 106, 61]),
        // What nothing can be made of does not count: unknown points, those of luma and colour difference, and of video.
        (vec![points(2, 2), profile.clone()], linear),
        (vec![(b"cICP", vec![12, 13, 1, 1]), profile.clone()], linear),
        (vec![(b"cICP", vec![12, 13, 0, 0]), profile], linear),
        (vec![gamma(0)], P3),
        (vec![gamma(u32::MAX >> 1), primaries([0; 8])], P3),
    ] {
        let (_, pictures) = see(&png_with_chunks(P3, &chunks));
        let found = pictures[2].rgb_at(0.5, 0.5);
        assert!(close(found, seen, 3), "{chunks:?}: {found:?} instead of {seen:?}");
    }
}

#[test]
fn a_png_of_high_dynamic_range_keeps_its_lights_apart() {
    for transfer in [16, 18] {
        let points = [(b"cICP", vec![9, transfer, 0, 1])];
        let seen = |level| see(&png_with_chunks([level; 3], &points)).1[2].rgb_at(0.5, 0.5)[0];
        let levels = [0, 60, 120, 150, 180].map(seen);
        assert!(
            levels[0] < 3 && levels.is_sorted_by(|darker, lighter| darker + 8 < *lighter),
            "{transfer}: {levels:?}"
        );
        assert!(seen(255) > 250, "{transfer}");
    }
}

#[test]
fn black_ink_darkens() {
    let file = make::jpeg_of(&plain([0, 0, 0, 155]), (64, 64), ColorType::Cmyk, |_| {});
    let (_, pictures) = see(&file);
    assert!(close(pictures[2].rgb_at(0.5, 0.5), [100; 3], 3));
}

#[test]
fn inks_with_a_profile_follow_it() {
    // It shows every ink as one gray.
    let file = jpeg_with_profile(&plain([255, 0, 0, 0]), ColorType::Cmyk, CMYK_PROFILE);
    let (_, pictures) = see(&file);
    let [red, green, blue] = pictures[2].rgb_at(0.5, 0.5);
    assert!(close([red, green, blue], [red; 3], 3) && (20..200).contains(&red), "{red} {green} {blue}");
}
