//! Ending what is in doubt, in one place.
//!
//! **The principle: a password, factor, session, device or link that is in doubt is unusable from the write that puts it in
//! doubt.** Every act by which an owner takes an account back, or tightens it, writes the account through one of the two changes
//! below, in the transaction that does the rest. Together with that act they decide what a thief is left with;
//! `docs/security.md` has the table of both, and `tests/recovery.rs` a test for each of its cells.
//!
//! What one addition to `session_epoch` ends, because each of these names the epoch that it was made under:
//!
//! | what | where the epoch is compared |
//! |---|---|
//! | sessions: access tokens, refresh tokens | `Session::is_live` |
//! | device tokens | `Device::belongs_to` |
//! | sign-ins that wait for their second factor | `Challenge::stands` |
//! | links to choose a password, links to a new address | the routes that take them, and the condition of their write |
//! | factors that are being added | the condition `same_factors` |
//!
//! Besides, the address that the account was to have is dropped, uploads that were asked for count as settled, so that
//! nothing is shown of them, and the fingerprints that the account knew are forgotten, so that the owner is notified of the
//! next sign-in with any of them.

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
