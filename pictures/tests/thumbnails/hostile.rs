use pictures::{MAX_BYTES, Rejected, thumbnails};

use crate::make;

fn code(upload: &[u8]) -> &'static str {
    thumbnails(upload).map_or_else(|rejected| rejected.code(), |_| "accepted")
}

/// Numbers that are the same on every run (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

#[test]
fn what_is_not_a_picture_is_refused() {
    for upload in [
        &b""[..],
        b"\xFF",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"BM",
        b"RIFF\0\0\0\0WAVE",
        b"%PDF-1.7",
    ] {
        assert_eq!(code(upload), "unsupported_format");
    }
}

#[test]
fn a_name_of_a_format_and_nothing_else_is_damaged() {
    for upload in [
        &b"\xFF\xD8\xFF"[..],
        b"\xFF\xD8\xFF\xD9",
        b"\x89PNG\r\n\x1A\n",
        b"GIF89a",
        b"GIF87a\0\0\0\0\0\0\0",
        b"RIFF\0\0\0\0WEBP",
    ] {
        assert_eq!(code(upload), "damaged", "{upload:02X?}");
    }
}

#[test]
fn an_upload_over_the_limit_is_refused_whatever_it_is() {
    let mut file = make::jpeg(20, 20, |_| {});
    file.resize(MAX_BYTES, 0);
    assert_eq!(code(&file), "accepted");
    file.push(0);
    assert_eq!(code(&file), "too_large");
}

#[test]
fn a_header_claiming_too_many_pixels_is_refused_before_they_are_allocated() {
    let size = 65_500_u32;
    let header = [&size.to_be_bytes()[..], &size.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    let png = make::png_from_chunks(&[(b"IHDR", &header), (b"IDAT", &[0x78, 0x9C]), (b"IEND", b"")]);

    let mut jpeg = make::jpeg(20, 20, |_| {});
    let frame = jpeg.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);

    let mut gif = make::simple_gif();
    let frame = gif.windows(9).position(|bytes| bytes == b"\x2C\0\0\0\0\xA0\0\x78\0").unwrap();
    gif[frame + 5..frame + 9].fill(0xFF);

    let mut lossless = make::webp(20, 20);
    lossless[21..24].fill(0xFF);
    lossless[24] |= 0x0F;
    let mut lossy = make::LOSSY_WEBP.to_vec();
    lossy[26..30].fill(0x3F);
    // An honest canvas around a frame that is not.
    let canvas = make::webp_from_chunks(&[make::webp_header(0, 160, 120), lossy[12..].to_vec()]);

    for (name, upload) in
        [("png", png), ("jpeg", jpeg), ("gif", gif), ("lossless", lossless), ("lossy", lossy), ("canvas", canvas)]
    {
        assert_eq!(code(&upload), "too_many_pixels", "{name}");
    }
}

#[test]
fn a_picture_without_pixels_is_damaged() {
    let mut jpeg = make::jpeg(20, 20, |_| {});
    let frame = jpeg.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 7].fill(0);
    assert_eq!(code(&jpeg), "damaged");
    let mut lossy = make::LOSSY_WEBP.to_vec();
    lossy[26..28].fill(0);
    assert_eq!(code(&lossy), "damaged");
}

#[test]
fn a_file_that_is_cut_off_is_damaged() {
    for (name, file) in make::every_kind() {
        // The last bytes of some files only say that they end; of an animation, only the first frame is read.
        let end = if name == "webp, animated" { file.len() / 2 } else { file.len() - 32 };
        for length in (16..end).step_by(7) {
            assert_eq!(code(&file[..length]), "damaged", "{name}, {length} of {}", file.len());
        }
    }
}

#[test]
fn a_palette_of_an_odd_length_is_damaged() {
    for length in [1, 4, 5, 769, 771, 774] {
        let file = make::png_of(&[0; 64], 8, 8, png::ColorType::Indexed, png::BitDepth::Eight, |encoder| {
            encoder.set_palette(vec![9; 3]);
        });
        let palette = vec![9; length];
        let mut chunks = make::png_chunks(&file);
        for chunk in chunks.iter_mut().filter(|(name, _)| *name == b"PLTE") {
            chunk.1 = &palette;
        }
        assert_eq!(code(&make::png_from_chunks(&chunks)), "damaged", "{length}");
    }
}

#[test]
fn a_rare_kind_of_jpeg_is_refused_by_its_name() {
    let file = make::jpeg(20, 20, |_| {});
    let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    for (at, value) in [(1, 0xC3), (1, 0xC5), (1, 0xCB), (1, 0xCD), (4, 12)] {
        let mut rare = file.clone();
        rare[frame + at] = value;
        let rejected = thumbnails(&rare).unwrap_err();
        assert!(matches!(rejected, Rejected::UnsupportedVariant { format: "JPEG", .. }), "{rejected}");
        assert_eq!(rejected.code(), "unsupported_variant");
    }
}

#[test]
fn a_jpeg_with_too_many_scans_is_refused_as_unsupported() {
    let file = make::jpeg(20, 20, |encoder| encoder.set_progressive(true));
    let first = file.windows(2).position(|bytes| bytes == [0xFF, 0xDA]).unwrap();
    let second = first + 2 + file[first + 2..].windows(2).position(|bytes| bytes == [0xFF, 0xDA]).unwrap();
    let with_scans = |more| [&file[..first], &file[first..second].repeat(more), &file[first..]].concat();
    assert_eq!(code(&with_scans(1000)), "unsupported_variant");
    // Programs that try for the smallest file write more than sixty.
    assert_eq!(code(&with_scans(200)), "accepted");
}

#[test]
fn a_large_jpeg_may_have_fewer_scans_than_a_small_one() {
    let gray = vec![128; 7000 * 7000];
    let file =
        make::jpeg_of(&gray, (7000, 7000), jpeg_encoder::ColorType::Luma, |encoder| encoder.set_progressive(true));
    let scan = file.windows(2).position(|bytes| bytes == [0xFF, 0xDA]).unwrap();
    // A code for "nothing in the next 16384 blocks", and a scan of nothing else.
    let codes = [&[0xFF, 0xC4, 0, 20, 0x11, 1][..], &[0; 15], &[0xE0]].concat();
    let empty = [&codes[..], &[0xFF, 0xDA, 0, 8, 1, file[scan + 5], 0x01, 1, 63, 0], &[0; 200]].concat();
    let with_scans = |more| [&file[..scan], &empty.repeat(more), &file[scan..]].concat();
    assert_eq!(code(&with_scans(250)), "unsupported_variant");
    assert_eq!(code(&with_scans(3)), "accepted");
}

#[test]
fn random_bytes_behind_any_signature_do_no_harm() {
    let mut random = Random(0x5EED);
    for signature in
        [&b"\xFF\xD8\xFF"[..], b"\x89PNG\r\n\x1A\n", b"GIF89a", b"RIFF\x99\0\0\0WEBPVP8 ", b"RIFF\x99\0\0\0WEBPVP8L"]
    {
        for _ in 0..200 {
            let mut upload = signature.to_vec();
            upload.extend((0..random.below(400)).map(|_| random.byte()));
            assert_ne!(thumbnails(&upload), Err(Rejected::DecoderFailed), "{upload:02X?}");
        }
    }
}

#[test]
fn changed_bytes_in_any_file_do_no_harm() {
    // More rounds, for a longer search: MUTATIONS=100000 cargo test -p pictures changed_bytes
    let rounds = std::env::var("MUTATIONS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(15);
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0xC0DE);
    let mut random = Random(seed);
    for (name, file) in make::every_kind() {
        for _ in 0..rounds {
            let changed = change(&file, name, &mut random);
            if thumbnails(&changed) == Err(Rejected::DecoderFailed) {
                let kept = std::env::temp_dir().join(format!("panicked-{}", random.next()));
                std::fs::write(&kept, &changed).unwrap();
                panic!("a decoder panicked at a changed {name}; the file is kept as {}", kept.display());
            }
        }
    }
}

/// A file with a few bytes replaced, taken out, put in, or doubled.
fn change(file: &[u8], name: &str, random: &mut Random) -> Vec<u8> {
    let mut changed = file.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(changed.len());
        let end = changed.len().min(at + 1 + random.below(20));
        match random.below(8) {
            0 => drop(changed.drain(at..end)),
            1 => {
                let copy = changed[at..end].to_vec();
                changed.splice(at..at, copy);
            }
            2 => changed[at] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)],
            3 => changed[at] ^= 1 << random.below(8),
            4 => changed.insert(at, random.byte()),
            // The headers are near the start and decide the most.
            5 => {
                let at = random.below(changed.len().min(64));
                changed[at] = random.byte();
            }
            _ => changed[at] = random.byte(),
        }
        if changed.is_empty() {
            changed.push(0);
        }
    }
    if name.starts_with("png") && random.below(4) != 0 && changed.len() > 8 {
        // With wrong checksums nothing of it would be looked at.
        let chunks = make::png_chunks(&changed);
        changed = make::png_from_chunks(&chunks);
    }
    changed
}
