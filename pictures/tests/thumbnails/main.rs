//! What the thumbnails of a picture look like, for every kind of file, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod colour;
mod formats;
mod hostile;
mod make;
mod metadata;
mod orientation;
mod seen;
mod square;
