//! The objects of an export.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html>
//!
//! The documentation names the digests of the manifests `.checksum`; the objects that AWS writes end in `.md5`.

use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dynoxide::types::{AttributeValue, Item};
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::record::{Export, Failure, Written};
use super::request::{FORMAT, TYPE};
use crate::machine;
use crate::s3::Store;

/// AWS writes at least one file for each partition, so a reader has to expect several.
const FILES: u8 = 4;
/// Of the manifests' format.
const VERSION: &str = "2020-06-30";

/// A file of items, compressed.
pub(super) struct DataFile {
    bytes: Vec<u8>,
    items: usize,
}

/// A line of a data file.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    item: &'a Item,
}

/// A line of `manifest-files.json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileEntry {
    item_count: usize,
    md5_checksum: String,
    etag: String,
    data_file_s3_key: String,
}

/// `manifest-summary.json`. Members that have no value are there as `null`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    version: &'static str,
    export_arn: &'a str,
    start_time: String,
    end_time: String,
    table_arn: &'a str,
    table_id: &'a str,
    export_time: String,
    s3_bucket: &'a str,
    s3_prefix: Option<&'a str>,
    s3_sse_algorithm: &'a str,
    s3_sse_kms_key_id: Option<&'a str>,
    manifest_files_s3_key: String,
    billed_size_bytes: i64,
    item_count: usize,
    output_format: &'static str,
    export_type: &'static str,
}

/// The data files of a table: some may have no items.
///
/// An item's file follows from its whole key. AWS promises no order of items, and neither does this: items of one partition key
/// are in several files, so that a reader that relies on finding them together fails here and not on AWS.
pub(super) fn compress(key: &[String], items: &[Item]) -> io::Result<Vec<DataFile>> {
    let new = || (GzEncoder::new(Vec::new(), Compression::default()), 0);
    let mut files: Vec<_> = (0..FILES).map(|_| new()).collect();
    for item in items {
        let number = usize::from(hash(key, item)? % FILES);
        let Some((file, count)) = files.get_mut(number) else { continue };
        let mut line = serde_json::to_vec(&Line { item })?;
        line.push(b'\n');
        file.write_all(&line)?;
        *count += 1;
    }
    files.into_iter().map(|(file, items)| Ok(DataFile { bytes: file.finish()?, items })).collect()
}

fn hash(key: &[String], item: &Item) -> io::Result<u8> {
    let key: Vec<Option<&AttributeValue>> = key.iter().map(|name| item.get(name)).collect();
    let [first, ..] = md5(&serde_json::to_vec(&key)?);
    Ok(first)
}

/// Where an export's objects go.
pub(super) struct Destination<'a> {
    store: &'a Store,
    bucket: String,
    /// With a slash at its end.
    folder: String,
}

impl<'a> Destination<'a> {
    pub(super) fn new(store: &'a Store, export: &Export) -> Self {
        let prefix = export.request.s3_prefix.as_deref().unwrap_or_default();
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let slash = if prefix.is_empty() { "" } else { "/" };
        let folder = format!("{prefix}{slash}AWSDynamoDB/{}/", export.id);
        Self { store, bucket: export.request.s3_bucket.clone(), folder }
    }

    /// Write everything in AWS's order: first what shows that the bucket can be written, last what says that all is there.
    pub(super) async fn write(&self, export: &Export, files: Vec<DataFile>) -> Result<Written, Failure> {
        self.put("_started", "binary/octet-stream", Vec::new()).await?;
        let items = files.iter().map(|file| file.items).sum();
        let mut entries = Vec::new();
        for file in files {
            entries.push(self.put_data(file).await?);
        }
        let files = lines(&entries)?;
        self.put_manifest("manifest-files", files).await?;
        let summary = serde_json::to_vec(&self.summary(export, items))?;
        let manifest = self.put_manifest("manifest-summary", summary).await?;
        Ok(Written { manifest, items })
    }

    async fn put_data(&self, DataFile { bytes, items }: DataFile) -> Result<FileEntry, Failure> {
        let name = format!("data/{}.json.gz", machine::new_id().replace('-', ""));
        let md5_checksum = BASE64_STANDARD.encode(md5(&bytes));
        let etag = self.put(&name, "application/x-gzip", bytes).await?;
        Ok(FileEntry { item_count: items, md5_checksum, etag, data_file_s3_key: self.key(&name) })
    }

    /// Put a manifest and then its digest. The answer is the manifest's key.
    async fn put_manifest(&self, name: &str, json: Vec<u8>) -> Result<String, Failure> {
        let digest = BASE64_STANDARD.encode(md5(&json)).into_bytes();
        let manifest = format!("{name}.json");
        self.put(&manifest, "application/json", json).await?;
        self.put(&format!("{name}.md5"), "text/plain", digest).await?;
        Ok(self.key(&manifest))
    }

    /// The answer is the object's `ETag`.
    async fn put(&self, name: &str, content_type: &str, bytes: Vec<u8>) -> Result<String, Failure> {
        let outcome = self.store.put(&self.bucket, &self.key(name), content_type, bytes).await;
        outcome.map_err(|error| Failure {
            code: format!("S3{}", error.code().as_str()),
            message: error.message().map_or_else(|| error.code().as_str().to_owned(), ToOwned::to_owned),
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }

    fn summary<'e>(&self, export: &'e Export, items: usize) -> Summary<'e> {
        let request = &export.request;
        Summary {
            version: VERSION,
            export_arn: &export.arn,
            start_time: date(export.started),
            end_time: date(machine::now()),
            table_arn: &request.table_arn,
            table_id: &export.table.id,
            export_time: date(export.time),
            s3_bucket: &request.s3_bucket,
            s3_prefix: request.s3_prefix.as_deref(),
            s3_sse_algorithm: export.sse_algorithm(),
            s3_sse_kms_key_id: request.s3_sse_kms_key_id.as_deref(),
            manifest_files_s3_key: self.key("manifest-files.json"),
            billed_size_bytes: export.table.size,
            item_count: items,
            output_format: FORMAT,
            export_type: TYPE,
        }
    }
}

/// A manifest that cannot be written as JSON.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(&error)
    }
}

fn lines(entries: &[FileEntry]) -> Result<Vec<u8>, serde_json::Error> {
    let mut lines = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut lines, entry)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// `2026-01-31T09:30:00.120Z`.
fn date(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_one_partition_key_are_in_several_files() {
        let item = |number: u32| {
            let number = AttributeValue::N(number.to_string());
            Item::from([("pk".to_owned(), AttributeValue::S("same".to_owned())), ("sk".to_owned(), number)])
        };
        let items: Vec<_> = (0..100).map(item).collect();
        let files = compress(&["pk".to_owned(), "sk".to_owned()], &items).unwrap();

        let counts: Vec<_> = files.iter().map(|file| file.items).collect();
        assert_eq!(counts.iter().sum::<usize>(), 100);
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    }

    #[test]
    fn a_table_without_items_has_empty_files() {
        let files = compress(&["pk".to_owned()], &[]).unwrap();
        assert_eq!(files.len(), usize::from(FILES));
        for file in files {
            assert_eq!(io::read_to_string(flate2::read::GzDecoder::new(&*file.bytes)).unwrap(), "");
        }
    }
}
