//! The files of an export of the table.

use std::io::Write;

use flate2::write::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_dynamo::Item;
use shared::{App, Error, Result};

/// `manifest-summary.json`, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub table_arn: String,
    pub export_time: String,
    pub item_count: u64,
    #[serde(rename = "manifestFilesS3Key")]
    manifest_files: String,
}

/// A file with items of the table, a line each.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataFile {
    pub item_count: u64,
    #[serde(rename = "dataFileS3Key")]
    pub key: String,
}

/// A line of a data file.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "Item")]
    item: Item,
}

async fn bytes(app: &App, key: &str) -> Result<Vec<u8>> {
    let object = app.s3().get_object().bucket(app.config.transfer.bucket()?).key(key).send().await?;
    Ok(object.body.collect().await.map_err(Error::internal)?.to_vec())
}

pub async fn json<T: DeserializeOwned>(app: &App, key: &str) -> Result<T> {
    serde_json::from_slice(&bytes(app, key).await?).map_err(Error::internal)
}

pub async fn data_files(app: &App, summary: &Summary) -> Result<Vec<DataFile>> {
    let manifest = bytes(app, &summary.manifest_files).await?;
    let lines = manifest.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(Error::internal)).collect()
}

/// Gives each item of a file to `take`, and counts them. The file is decompressed as it comes, and never whole in memory.
pub async fn items(app: &App, file: &DataFile, take: impl FnMut(Item) -> Result<()> + Send) -> Result<u64> {
    let mut object = app.s3().get_object().bucket(app.config.transfer.bucket()?).key(&file.key).send().await?;
    let mut decoder = GzDecoder::new(Lines { unfinished: Vec::new(), count: 0, take, failure: None });
    while let Some(chunk) = object.body.next().await {
        let chunk = chunk.map_err(Error::internal)?;
        let written = decoder.write_all(&chunk);
        if let Some(failure) = decoder.get_mut().failure.take() {
            return Err(failure);
        }
        written.map_err(Error::internal)?;
    }
    let mut lines = decoder.finish().map_err(Error::internal)?;
    lines.end()?;
    if lines.count == file.item_count {
        return Ok(lines.count);
    }
    Err(Error::internal(format!(
        "a file of the export has {} items, and its manifest says {}",
        lines.count, file.item_count
    )))
}

/// Takes decompressed bytes apart into lines.
struct Lines<F> {
    unfinished: Vec<u8>,
    count: u64,
    take: F,
    failure: Option<Error>,
}

impl<F: FnMut(Item) -> Result<()>> Lines<F> {
    fn line(&mut self, line: &[u8]) -> Result<()> {
        if line.is_empty() {
            return Ok(());
        }
        let Line { item } = serde_json::from_slice(line).map_err(Error::internal)?;
        self.count += 1;
        (self.take)(item)
    }

    fn end(&mut self) -> Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let line = std::mem::take(&mut self.unfinished);
        self.line(&line)
    }
}

impl<F: FnMut(Item) -> Result<()>> Write for Lines<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.unfinished);
            if let Err(error) = self.line(&line) {
                self.failure = Some(error);
                return Err(std::io::Error::other("failed to read a line of the export"));
            }
        }
        self.unfinished.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub async fn delete_all(app: &App, prefix: &str) -> Result<()> {
    let bucket = app.config.transfer.bucket()?;
    loop {
        let page = app.s3().list_objects_v2().bucket(bucket).prefix(prefix).send().await?;
        let keys: Vec<_> = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        for key in keys {
            app.s3().delete_object().bucket(bucket).key(key).send().await?;
        }
    }
}
