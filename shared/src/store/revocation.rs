//! Revocation of everything that is no longer trusted, in one place.
//!
//! **The principle: a password, factor, session, device or link that is no longer trusted is unusable from the write that makes it
//! so.** Every action by which an owner recovers or secures an account writes the account through one of the two changes below, in
//! the same transaction. Together with the action they decide what an attacker keeps; `docs/security.md` has the table of both, and
//! `tests/recovery.rs` a test for each of its cells.
//!
//! Incrementing `session_epoch` ends the following, because each contains the epoch in which it was created:
//!
//! | what | where the epoch is compared |
//! |---|---|
//! | sessions: access tokens, refresh tokens | `Session::is_live` |
//! | device tokens | `Device::belongs_to` |
//! | sign-ins that wait for their second factor | `Challenge::stands` |
//! | links to choose a password, links to a new address | the routes that take them, and the condition of their write |
//! | factors that are being added | the condition `same_factors` |
//!
//! In addition, a pending address is dropped, requested uploads count as settled, so that they are not shown, and the known
//! fingerprints are deleted, so that the owner is notified of the next sign-in with any of them.

use super::change::Change;
use super::{n, value};
use crate::clock::Timestamp;
use crate::domain::picture::Settled;
use crate::domain::session::Session;
use crate::error::Result;

/// A change that ends all of it, for the caller too.
///
/// # Errors
/// Never: what it writes can be written.
pub(super) fn revoke_all(change: Change, now: Timestamp) -> Result<Change> {
    Ok(revoke(change, now)?.remove("known_clients"))
}

/// Ends all of it but the caller's own session, which the same transaction takes along into the next epoch, and the fingerprint
/// of its sign-in.
///
/// # Errors
/// Never: what it writes can be written.
pub(super) fn revoke_others(own: &Session, now: Timestamp) -> Result<Change> {
    Ok(revoke(Change::default(), now)?
        .and_set("known_clients = :own_client")
        .value(":own_client", value(&[own.fingerprint()])?))
}

fn revoke(change: Change, now: Timestamp) -> Result<Change> {
    let change = change
        .and_set("session_epoch = session_epoch + :one, tell_first_client = :tell, picture.settled = :uploads_over")
        .remove("pending_email")
        .value(":one", n(1))
        .value(":tell", value(&true)?)
        .value(":uploads_over", value(&Settled::all_before(now))?);
    Ok(change)
}
