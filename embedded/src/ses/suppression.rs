//! The account's suppression list: addresses that SES sends nothing to, though it accepts mails to them.
//! <https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html>
//!
//! An address is on the list as it was put there: reading and removing it takes the same letters, while a mail to it is
//! suppressed in whatever case it is written. Unlike AWS: the whole list comes on one page, whatever filters say.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Ses, mailbox};
use crate::{StartError, folder, machine, server};

/// Why an address is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SuppressionReason {
    /// A mail to it bounced for good.
    Bounce,
    /// Its owner marked a mail as spam.
    Complaint,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Suppressed {
    reason: SuppressionReason,
    /// Milliseconds since the epoch.
    updated_at: i64,
}

type Entries = BTreeMap<String, Suppressed>;

pub(crate) struct SuppressionList {
    entries: Mutex<Entries>,
    file: Option<PathBuf>,
}

impl SuppressionList {
    /// With a path, what an earlier run wrote there is loaded.
    pub(crate) fn open(file: Option<PathBuf>) -> Result<Self, StartError> {
        let entries = match &file {
            None => Entries::new(),
            Some(path) => read(path).map_err(|reason| StartError::Unreadable { path: path.clone(), reason })?,
        };
        Ok(Self { entries: Mutex::new(entries), file })
    }

    pub(crate) fn put(&self, address: &str, reason: SuppressionReason) {
        let mut entries = self.entries();
        entries.insert(address.to_owned(), Suppressed { reason, updated_at: machine::now_ms() });
        self.write(&entries);
    }

    /// Why nothing is sent to an address.
    pub(super) fn reason_for(&self, address: &str) -> Option<SuppressionReason> {
        let entries = self.entries();
        let mut found = entries.iter().filter(|(listed, _)| listed.eq_ignore_ascii_case(address));
        found.next().map(|(_, suppressed)| suppressed.reason)
    }

    fn remove(&self, address: &str) -> bool {
        let mut entries = self.entries();
        let removed = entries.remove(address).is_some();
        if removed {
            self.write(&entries);
        }
        removed
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that cannot be written is reported in the log: what is in memory stays right.
    fn write(&self, entries: &Entries) {
        let Some(path) = &self.file else { return };
        let written = serde_json::to_vec(entries).map_err(io::Error::from);
        if let Err(error) = written.and_then(|json| folder::replace(path, &json)) {
            tracing::error!(path = %path.display(), %error, "cannot write");
        }
    }
}

fn read(path: &std::path::Path) -> Result<Entries, String> {
    match fs::read(path) {
        Ok(json) => serde_json::from_slice(&json).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Entries::new()),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutSuppressedDestination {
    email_address: String,
    reason: SuppressionReason,
}

/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html>
pub(super) async fn put(State(ses): State<Ses>, body: Bytes) -> Response {
    let request = serde_json::from_slice::<PutSuppressedDestination>(&body).map_err(|error| error.to_string());
    let request = request.and_then(|request| mailbox::check(&request.email_address).map(|()| request));
    match request {
        Ok(PutSuppressedDestination { email_address, reason }) => {
            ses.suppressed.put(&email_address, reason);
            server::answer(StatusCode::OK, &json!({}))
        }
        Err(reason) => server::refusal(StatusCode::BAD_REQUEST, "BadRequestException", &reason),
    }
}

/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetSuppressedDestination.html>
pub(super) async fn get(State(ses): State<Ses>, Path(address): Path<String>) -> Response {
    let found = ses.suppressed.entries().get(&address).copied();
    match found {
        Some(suppressed) => {
            let shown = json!({ "SuppressedDestination": shown(&address, suppressed) });
            server::answer(StatusCode::OK, &shown)
        }
        None => not_listed(),
    }
}

/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteSuppressedDestination.html>
pub(super) async fn delete(State(ses): State<Ses>, Path(address): Path<String>) -> Response {
    if ses.suppressed.remove(&address) { server::answer(StatusCode::OK, &json!({})) } else { not_listed() }
}

/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html>
pub(super) async fn list(State(ses): State<Ses>) -> Response {
    let entries = ses.suppressed.entries().clone();
    let summaries: Vec<Value> = entries.iter().map(|(address, suppressed)| shown(address, *suppressed)).collect();
    server::answer(StatusCode::OK, &json!({ "SuppressedDestinationSummaries": summaries }))
}

fn shown(address: &str, Suppressed { reason, updated_at }: Suppressed) -> Value {
    json!({ "EmailAddress": address, "Reason": reason, "LastUpdateTime": updated_at / 1000 })
}

fn not_listed() -> Response {
    let message = "Email address does not exist on your suppression list.";
    server::refusal(StatusCode::NOT_FOUND, "NotFoundException", message)
}
