//! A user's picture: requested uploads, their outcome, and the current picture.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{AttemptId, UploadId, UserId};
use crate::clock::Timestamp;

/// How long a presigned upload is valid.
pub const UPLOAD_LIFE: Duration = Duration::from_mins(5);

/// The accepted types of uploads. The resizer decides by content, not by this.
pub const CONTENT_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "image/gif"];

/// Whether an upload can be declared as this type. Media types are case-insensitive (RFC 9110, 8.3.1), and `image/jpg`, which is
/// not registered, is what many programs call a JPEG.
#[must_use]
pub fn may_be_declared(content_type: &str) -> bool {
    let same = |known: &&str| known.eq_ignore_ascii_case(content_type);
    CONTENT_TYPES.iter().chain(&["image/jpg"]).any(same)
}

/// The picture state of an account. Uploads are ordered by their IDs, which are ordered by time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureState {
    /// The newest requested upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Requested>,
    /// The newest upload whose outcome is known. Older ones are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
    /// The current picture: that of the newest successful upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// The most recent attempt to read an upload, unless an internal failure ended it. It is meaningless once its upload is
    /// settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    pub upload: UploadId,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    pub upload: UploadId,
    /// Why the upload was rejected, as a message for the owner; `None` if it succeeded or the picture was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

impl Settled {
    /// Settles all uploads requested so far without an outcome: none of them will be shown.
    #[must_use]
    pub fn all_before(now: Timestamp) -> Self {
        // A millisecond ahead, so that it is also after an upload of the same millisecond.
        Self { upload: UploadId::new(now.plus(Duration::from_millis(1))), rejected: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub upload: UploadId,
    pub id: AttemptId,
    pub at: Timestamp,
}

/// The next step for an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Read,
    /// It or a newer one is settled: it will not be shown.
    Skip,
    /// Another attempt may still be in progress: wait for its outcome.
    Wait,
    /// An earlier attempt ended without an outcome, and the next may do so, too.
    Reject,
}

/// No attempt takes longer: its function has a minute. On AWS the next delivery of its message comes later; elsewhere the last of
/// five deliveries does.
pub const ATTEMPT_LIFE: Duration = Duration::from_secs(90);

/// The location of the resized pictures: keys are `{user}/{upload}-{content}/{size}.{extension}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub upload: UploadId,
    /// The beginning of the SHA-256 of the pictures, so that the picture behind a URL never changes.
    pub content: String,
    pub extension: String,
}

/// The status shown to the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status<'a> {
    None,
    Processing,
    Ready,
    Rejected(&'a str),
}

/// A requested upload counts as processing until it can no longer arrive and be resized.
const PROCESSING: Duration = UPLOAD_LIFE.saturating_add(Duration::from_mins(10));

impl PictureState {
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status<'_> {
        let settled = self.settled.as_ref();
        match &self.requested {
            Some(requested)
                if settled.is_none_or(|settled| settled.upload < requested.upload)
                    && now.since(requested.at) < PROCESSING =>
            {
                return Status::Processing;
            }
            _ => {}
        }
        match settled.and_then(|settled| settled.rejected.as_deref()) {
            Some(reason) => Status::Rejected(reason),
            None if self.shown.is_some() => Status::Ready,
            None => Status::None,
        }
    }
}

impl PictureState {
    /// The next step for an upload that would be read now.
    #[must_use]
    pub fn next(&self, upload: UploadId, now: Timestamp) -> Next {
        if self.settled.as_ref().is_some_and(|settled| upload <= settled.upload) {
            return Next::Skip;
        }
        match &self.attempt {
            Some(attempt) if attempt.upload == upload && now.since(attempt.at) < ATTEMPT_LIFE => Next::Wait,
            Some(attempt) if attempt.upload == upload => Next::Reject,
            _ => Next::Read,
        }
    }
}

impl Shown {
    #[must_use]
    pub fn key(&self, user: UserId, size: u32) -> String {
        format!("{}{size}.{}", self.prefix(user), self.extension)
    }

    /// The common prefix of the keys of all its sizes, unique to this picture.
    #[must_use]
    pub fn prefix(&self, user: UserId) -> String {
        format!("{user}/{}-{}/", self.upload, self.content)
    }
}

/// Key of an upload in the uploads bucket.
#[must_use]
pub fn upload_key(user: UserId, upload: UploadId) -> String {
    format!("{user}/{upload}")
}

/// The user and upload of a key in the uploads bucket; `None` if it is not a key of this service.
#[must_use]
pub fn parse_upload_key(key: &str) -> Option<(UserId, UploadId)> {
    let (user, upload) = key.split_once('/')?;
    Some((user.parse().ok()?, upload.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    #[test]
    fn the_status_follows_the_newest_upload() {
        let older = UploadId::new(NOW);
        let newer = UploadId::new(NOW.plus(Duration::from_secs(1)));
        let requested = |upload| Some(Requested { upload, at: NOW });
        let settled = |upload, rejected: Option<&str>| Some(Settled { upload, rejected: rejected.map(Into::into) });
        let shown = |upload| Some(Shown { upload, content: "c".into(), extension: "jpg".into() });
        let late = NOW.plus(PROCESSING);
        for (state, at, status) in [
            (PictureState::default(), NOW, Status::None),
            (
                PictureState { requested: requested(older), settled: None, ..PictureState::default() },
                NOW,
                Status::Processing,
            ),
            (
                PictureState { requested: requested(older), settled: None, ..PictureState::default() },
                late,
                Status::None,
            ),
            (
                PictureState {
                    requested: requested(older),
                    settled: settled(older, None),
                    shown: shown(older),
                    ..PictureState::default()
                },
                NOW,
                Status::Ready,
            ),
            (
                PictureState {
                    requested: requested(newer),
                    settled: settled(older, None),
                    shown: shown(older),
                    ..PictureState::default()
                },
                NOW,
                Status::Processing,
            ),
            (
                PictureState {
                    requested: requested(newer),
                    settled: settled(older, None),
                    shown: shown(older),
                    ..PictureState::default()
                },
                late,
                Status::Ready,
            ),
            (
                PictureState {
                    requested: requested(newer),
                    settled: settled(newer, Some("bad")),
                    shown: shown(older),
                    ..PictureState::default()
                },
                NOW,
                Status::Rejected("bad"),
            ),
            (
                PictureState { requested: requested(older), settled: settled(newer, None), ..PictureState::default() },
                NOW,
                Status::None,
            ),
        ] {
            assert_eq!(state.status(at), status, "{state:?}");
        }
    }

    #[test]
    fn an_upload_is_read_once_and_only_while_it_is_the_newest() {
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let (older, upload, newer) = (UploadId::new(NOW), UploadId::new(at(1)), UploadId::new(at(2)));
        let settled = |upload| Some(Settled { upload, rejected: None });
        let attempt = |upload, began| Some(Attempt { upload, id: AttemptId::new(NOW), at: began });
        let now = at(1000);
        let just_now = now.minus(ATTEMPT_LIFE.saturating_sub(Duration::from_millis(1)));
        let long_ago = now.minus(ATTEMPT_LIFE);
        for (settled, attempt, next) in [
            (None, None, Next::Read),
            (settled(older), None, Next::Read),
            (settled(upload), None, Next::Skip),
            (settled(newer), None, Next::Skip),
            (settled(newer), attempt(upload, long_ago), Next::Skip),
            (None, attempt(upload, just_now), Next::Wait),
            (settled(older), attempt(upload, long_ago), Next::Reject),
            // Of another upload.
            (None, attempt(older, just_now), Next::Read),
            (None, attempt(newer, long_ago), Next::Read),
        ] {
            let state = PictureState { settled, attempt, ..PictureState::default() };
            assert_eq!(state.next(upload, now), next, "{state:?}");
        }
    }

    #[test]
    fn upload_keys_name_user_and_upload_and_nothing_else_does() {
        let (user, upload) = (UserId::new(NOW), UploadId::new(NOW));
        assert_eq!(parse_upload_key(&upload_key(user, upload)), Some((user, upload)));
        for key in ["", "/", "a/b", &format!("{user}"), &format!("{user}/{upload}/x"), &format!("../{user}/{upload}")] {
            assert_eq!(parse_upload_key(key), None, "{key}");
        }
    }
}
