//! The format of an upload, by its content alone: names and declared types are the uploader's word.

/// A format that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Jpeg,
    Png,
    WebP,
    Gif,
}

/// The format whose signature the upload starts with
/// (<https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern>).
pub(crate) fn kind(upload: &[u8]) -> Option<Kind> {
    if upload.starts_with(b"\xFF\xD8\xFF") {
        Some(Kind::Jpeg)
    } else if upload.starts_with(b"\x89PNG\r\n\x1A\n") {
        Some(Kind::Png)
    } else if upload.starts_with(b"RIFF") && upload.get(8..12) == Some(b"WEBP") {
        Some(Kind::WebP)
    } else if upload.starts_with(b"GIF87a") || upload.starts_with(b"GIF89a") {
        Some(Kind::Gif)
    } else {
        None
    }
}
