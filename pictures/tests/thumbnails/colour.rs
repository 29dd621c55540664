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
    // These are stored as Adobe's programs do it, inverted.
    for colour in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let file = make::jpeg_of(&inks, (64, 64), colour, |_| {});
        assert_quarters(&file, [RED, GREEN, BLUE, YELLOW], "inverted");
    }
    // Without the segment of Adobe they are meant as they are.
    let inverted: Vec<u8> = inks.iter().map(|ink| 255 - ink).collect();
    let file = make::jpeg_of(&inverted, (64, 64), ColorType::Cmyk, |_| {});
    let adobe = file.windows(5).position(|bytes| bytes == b"Adobe").unwrap();
    let plain = [&file[..adobe - 4], &file[adobe + 12..]].concat();
    assert_quarters(&plain, [RED, GREEN, BLUE, YELLOW], "as they are");
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
