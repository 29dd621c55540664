//! A QR code as an image. PNG, not SVG, because native apps show it too. It is drawn here because one bit per pixel, scaled by
//! repetition, is less code than the image types of QR crates.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Encoder};
use qrcode::{Color, QrCode};
use shared::{Error, Result};

/// Edge of a module in pixels.
const SCALE: usize = 4;
/// Modules of light around it (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;

/// The text as a QR code: a `data:` URL of a PNG of about one kilobyte.
///
/// # Errors
/// When the text does not fit into a QR code.
pub fn data_url(text: &str) -> Result<String> {
    let code = QrCode::new(text).map_err(Error::internal)?;
    let edge = code.width() + 2 * QUIET;
    let is_dark = |x: usize, y: usize| {
        let inside = QUIET..QUIET + code.width();
        inside.contains(&x) && inside.contains(&y) && code[(x - QUIET, y - QUIET)] == Color::Dark
    };
    // One bit a pixel, 1 for white; each row begins with a byte of its own.
    let mut rows = Vec::with_capacity(edge * SCALE * (edge * SCALE).div_ceil(8));
    for y in 0..edge {
        let mut row = vec![0; (edge * SCALE).div_ceil(8)];
        for x in (0..edge * SCALE).filter(|x| !is_dark(x / SCALE, y)) {
            row[x / 8] |= 0x80 >> (x % 8);
        }
        rows.extend(row.repeat(SCALE));
    }
    let pixels = u32::try_from(edge * SCALE).map_err(Error::internal)?;
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, pixels, pixels);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&rows)).map_err(Error::internal)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(file)))
}
