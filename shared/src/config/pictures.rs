//! Pictures.

use std::path::PathBuf;

use super::reader::Reader;

/// Where pictures are stored and served, and the process that reads uploads.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// `UPLOADS_BUCKET`: what users upload, until it is resized.
    pub uploads_bucket: String,
    /// `PICTURES_BUCKET`: the resized pictures.
    pub pictures_bucket: String,
    /// `PICTURES_URL`: where the pictures bucket is served from, without a slash at the end; without it no picture is shown.
    pub base_url: Option<String>,
    /// `PICTURE_MEMORY_MIB`: the address space, in MiB, of the process that reads an upload.
    pub worker_memory_mib: u64,
    /// `PICTURE_WORKER`: the program that reads uploads, the one that runs unless set.
    pub worker: Option<PathBuf>,
}

impl Pictures {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            uploads_bucket: reader.required("UPLOADS_BUCKET"),
            pictures_bucket: reader.required("PICTURES_BUCKET"),
            base_url: reader.optional_url("PICTURES_URL"),
            worker_memory_mib: reader.number("PICTURE_MEMORY_MIB", 16..=1 << 20).unwrap_or(512),
            worker: reader.optional("PICTURE_WORKER").map(Into::into),
        }
    }
}
