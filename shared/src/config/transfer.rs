//! Moving in and out: where files are on the way.

use super::reader::Reader;
use crate::error::{Error, Result};

#[derive(Debug, Clone, Default)]
pub struct Transfer {
    /// `TRANSFER_BUCKET`: parts of imports and the table's exports, for a day.
    bucket: Option<String>,
    /// `IMPORT_QUEUE_URL`: the queue that tells of parts to import. Without it an import writes to the tables itself.
    pub import_queue_url: Option<String>,
}

impl Transfer {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        Self { bucket: reader.optional("TRANSFER_BUCKET"), import_queue_url: reader.optional("IMPORT_QUEUE_URL") }
    }

    /// # Errors
    /// When it is not set.
    pub fn bucket(&self) -> Result<&str> {
        self.bucket.as_deref().ok_or_else(|| Error::internal("TRANSFER_BUCKET is not set"))
    }
}
