//! Compares the planes with those of another decoder, which gives every picture whole.

use std::io::Cursor;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::raster::{Pixels, Plane};

fn encode(
    samples: &[u8],
    (width, height): (usize, usize),
    colour: ColorType,
    quality: u8,
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality);
    set(&mut encoder);
    encoder.encode(samples, width as u16, height as u16, colour).unwrap();
    file
}

fn planes(file: &[u8]) -> Vec<Plane> {
    match super::decode(file).unwrap().pixels {
        Pixels::Planes { planes, .. } => planes,
        Pixels::Premultiplied { .. } => unreachable!("JPEG has planes"),
    }
}

/// Every `components`th sample of the other decoder, from the `component`th on.
fn others(file: &[u8], colour: ColorSpace, component: usize) -> Vec<u8> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(colour);
    let samples = JpegDecoder::new_with_options(Cursor::new(file), options).decode().unwrap();
    let components = if colour == ColorSpace::Luma { 1 } else { 3 };
    samples.into_iter().skip(component).step_by(components).collect()
}

/// A picture that no two blocks of are alike, from flat to as rough as can be.
fn rough(width: usize, height: usize, channels: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..height * width * channels)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (x, y) = (at / channels % width, at / channels / width);
            let noise = (state >> 24) * (x * 255 / width) as u32 / 255;
            (noise + (y * 2 + at % channels * 40) as u32 % 256).min(255) as u8
        })
        .collect()
}

#[test]
fn an_unscaled_picture_has_the_samples_that_another_decoder_finds() {
    use SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2, F_4_1};
    let size = (133, 133);
    let samples = rough(size.0, size.1, 3);
    for sampling in [F_1_1, F_2_1, F_1_2, F_2_2, F_4_1] {
        for quality in [20, 75, 100] {
            for variant in 0..4 {
                // The other decoder fails when components that are halved downwards come one by one.
                if variant == 2 && matches!(sampling, F_1_2 | F_2_2) {
                    continue;
                }
                let file = encode(&samples, size, ColorType::Rgb, quality, |encoder| {
                    encoder.set_sampling_factor(sampling);
                    encoder.set_progressive(variant == 1);
                    encoder.set_optimized_huffman_tables(variant == 2);
                    if variant == 3 {
                        encoder.set_restart_interval(4);
                    }
                });
                let planes = planes(&file);
                // The other decoder enlarges the colours of all but the first kind.
                for (component, plane) in planes.iter().enumerate().take(if sampling == F_1_1 { 3 } else { 1 }) {
                    let others = others(&file, ColorSpace::YCbCr, component);
                    assert_eq!((plane.width, plane.height), (133, 133));
                    let most = plane.samples.iter().zip(&others).map(|(ours, theirs)| ours.abs_diff(*theirs)).max();
                    assert!(most <= Some(2), "{sampling:?}, {quality}, {variant}, {component}: {most:?}");
                }
            }
        }
    }
}

#[test]
fn successive_approximation_gives_the_samples_that_another_decoder_finds() {
    let file = include_bytes!("../../../tests/data/progressive.jpg");
    let plane = &planes(file)[0];
    let others = others(file, ColorSpace::YCbCr, 0);
    // The square is as high as the picture, and lies in the middle of its blocks.
    let left = (plane.window.left as usize, (160 - 120) / 2);
    for y in 0..120 {
        for x in 0..120 {
            let ours = plane.samples[y * plane.width as usize + x + left.0];
            let theirs = others[y * 160 + x + left.1];
            assert!(ours.abs_diff(theirs) <= 2, "{x}, {y}: {ours} and {theirs}");
        }
    }
}

#[test]
fn at_an_eighth_each_sample_is_the_average_of_its_block() {
    let size = 5760;
    let file = encode(&rough(size, size, 1), (size, size), ColorType::Luma, 60, |_| {});
    let plane = &planes(&file)[0];
    assert_eq!(plane.width, 720);
    let others = others(&file, ColorSpace::Luma, 0);
    for (at, &ours) in plane.samples.iter().enumerate().step_by(37) {
        let (x, y) = (at % 720 * 8, at / 720 * 8);
        let block = (y..y + 8).flat_map(|y| &others[y * size + x..y * size + x + 8]);
        let values: Vec<u32> = block.map(|&sample| u32::from(sample)).collect();
        // Where the other decoder had to clip, the averages differ.
        if values.iter().all(|value| (1..255).contains(value)) {
            let average = (values.iter().sum::<u32>() / 64) as u8;
            assert!(ours.abs_diff(average) <= 1, "{x}, {y}: {ours} instead of {average}");
        }
    }
}

#[test]
fn at_every_scale_a_soft_picture_keeps_its_shape() {
    let soft = |x: f64, y: f64| 128.0 + 60.0 * (x * 9.0).sin() + 60.0 * (y * 7.0).cos();
    for (size, scale) in [(700, 8), (900, 7), (1000, 6), (1200, 5), (1500, 4), (2000, 3), (3000, 2)] {
        let samples: Vec<u8> = (0..size * size)
            .map(|at| soft((at % size) as f64 / size as f64, (at / size) as f64 / size as f64) as u8)
            .collect();
        for progressive in [false, true] {
            let file = encode(&samples, (size, size), ColorType::Luma, 95, |encoder| {
                encoder.set_progressive(progressive);
            });
            let plane = &planes(&file)[0];
            let width = plane.width as usize;
            assert_eq!(width, (size * scale).div_ceil(8), "{size}");
            for (at, &ours) in plane.samples.iter().enumerate().step_by(101) {
                let centre = |at: usize| (at as f64 + 0.5) * 8.0 / scale as f64 / size as f64;
                // The last sample of a row may reach beyond the edge.
                if at % width + 1 < width && at / width + 1 < width {
                    let expected = soft(centre(at % width), centre(at / width)) as u8;
                    assert!(ours.abs_diff(expected) <= 4, "{scale} eighths at {at}: {ours} instead of {expected}");
                }
            }
        }
    }
}
