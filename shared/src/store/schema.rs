//! The layout of the two tables: every key and what is stored under it.
//!
//! The main table. Every item has `pk` and `sk`:
//!
//! | item | pk | sk |
//! |---|---|---|
//! | account | `USER#id` | `PROFILE` |
//! | session | `USER#id` | `SESSION#sid` |
//! | what a member of staff has who acts as the user | `USER#id` | `IMPERSONATION#sid` |
//! | link that was mailed | `USER#id` | `LINK#sha256(secret)` |
//! | authenticator app | `USER#id` | `FACTOR#TOTP` |
//! | recovery codes that are left | `USER#id` | `FACTOR#RECOVERY` |
//! | passkey | `USER#id` | `FACTOR#PASSKEY#sha256(credential id)` |
//! | what an authenticator was asked, to add a passkey | `USER#id` | `FACTOR#CEREMONY#id` |
//! | what an authenticator was asked, to sign in with one or to prove one | `CEREMONY#id` | `PASSKEY` |
//! | wrong codes | `USER#id` | `FACTOR#ATTEMPTS` |
//! | the same from a device that has signed in before | `USER#id` | `FACTOR#ATTEMPTS#device` |
//! | sign-in that waits for its second factor | `USER#id` | `FACTOR#CHALLENGE#id` |
//! | what is left of a deleted account to erase | `USER#id` | `ERASURE` |
//! | domain event, the activity of the account | `USER#id` | `EVENT#id` |
//! | invitation | `INVITATIONS` | id |
//! | which invitation an address has | `EMAIL#normalized` | `INVITATION` |
//! | webhook | `WEBHOOKS` | id |
//! | delivery of an event to a webhook | `WEBHOOK#id` | `DELIVERY#event id` |
//! | request with an idempotency key | `CALLER#id` or `CALLER#network` | `KEY#sha256(key)` |
//! | what staff did, and events of what is no account | `STAFF#month` | `EVENT#id` |
//! | who has an address, or for whom it is reserved | `EMAIL#normalized` | `OWNER` |
//! | failed sign-ins with an address | `EMAIL#normalized` | `ATTEMPTS` |
//! | failed sign-ins with it from a device that knows the password | `EMAIL#normalized` | `ATTEMPTS#device` |
//! | wrong current passwords of those who are signed in | `EMAIL#normalized` | `ATTEMPTS#user` |
//! | the last email to an address that a requester chose | `EMAIL#normalized` | `MAIL_TURN` |
//! | email in the outbox, with the address it goes to | `EMAIL#normalized` | `MAIL#id` |
//! | email that SES took | `EMAIL#normalized` | `SENT#message id` |
//! | why emails to it do not arrive | `EMAIL#normalized` | `DELIVERY` |
//! | requests of a client network in a window | `LIMIT#limit#network` | start of the window |
//! | that an imported account was deleted | `DELETED#id` | `IMPORTED` |
//! | as much as an account takes, where none was created | `NOBODY#random` | number |
//! | how many accounts have a password of which kind | `POPULATION` | `PASSWORDS` |
//! | how far they are counted anew | `POPULATION` | `COUNTING` |
//! | public half of a signing key | `KEYS` | kid |
//! | an account by a word of its name | `FIND#NAME#first letter` | word and id |
//! | an account by its address | `FIND#EMAIL#first letter` | address and id |
//! | an account by a role, but for that of every account | `FIND#ROLE#role` | as `listed_as` |
//! | an account that is unconfirmed or disabled | `FIND#STATUS#status` | as `listed_as` |
//! | an account by its id in another system | `FIND#EXTERNAL#external id` | `OWNER` |
//!
//! All that belongs to a person is in two partitions, so deleting the account is two queries. Two sparse indexes: `list` (accounts,
//! by `listed_in`, the same for all, and `listed_as`: the id, or time and id) and, in shards, `pending` (emails, erasures and
//! unconfirmed accounts, by `pending_shard` and `pending_at`). TTL deletes days late, so every read compares times itself.
//!
//! The keys table, for what only some functions may read:
//!
//! | item | pk | sk |
//! |---|---|---|
//! | private half of a signing key | `SIGNING` | kid |
//! | MAC key for a purpose | `MAC#purpose` | `KEY` |
//! | encryption key for a purpose | `SEAL#purpose` | `KEY` |

use super::{Item, n, s};
use crate::clock::Timestamp;
use crate::domain::email::NormalizedEmail;
use crate::domain::id::{CeremonyId, ChallengeId, DeviceId, EmailId, EventId, SessionId, UserId, WebhookId};
use crate::domain::idempotency::{IdempotencyKey, KeyOwner};
use crate::domain::limit::{Limit, Window};
use crate::domain::link::LinkHash;
use crate::domain::mail::sweep_after;
use crate::domain::metadata::ExternalId;
use crate::domain::network::ClientNetwork;
use crate::domain::passkey::PasskeyId;
use crate::domain::role::Role;
use crate::domain::status::Status;
use crate::random;

// Partitions of the main table.

pub(super) fn nobody_key(now: Timestamp) -> String {
    format!("NOBODY#{}", random::uuid(now))
}

pub(super) fn user_key(id: UserId) -> String {
    format!("USER#{id}")
}

pub(super) fn address_key(address: &NormalizedEmail) -> String {
    format!("EMAIL#{}", address.as_str())
}

/// The public halves of all signing keys.
pub(super) const PUBLIC: &str = "KEYS";

/// How many accounts have a password of which kind.
pub(super) const POPULATION: &str = "POPULATION";
pub(super) const PASSWORDS: &str = "PASSWORDS";
pub(super) const COUNTING: &str = "COUNTING";

/// Both keys of what says that an imported account was deleted.
pub(super) fn deleted_key(id: UserId) -> (String, String) {
    (format!("DELETED#{id}"), "IMPORTED".to_owned())
}

/// What an account's imported password counts as; an account with a hash of this service has none.
pub(super) const PASSWORD_KIND: &str = "password_kind";

// In an account's partition.

pub(super) const PROFILE: &str = "PROFILE";

/// What the keys of sessions begin with.
pub(super) const SESSION: &str = "SESSION#";

pub(super) fn session_key(id: SessionId) -> String {
    format!("{SESSION}{id}")
}

/// What a member of staff has of the account while they act as its owner. No session: nothing is told of a sign-in.
pub(super) fn impersonation_key(id: SessionId) -> String {
    format!("IMPERSONATION#{id}")
}

pub(super) fn link_key(hash: &LinkHash) -> String {
    format!("LINK#{}", hash.as_str())
}

pub(super) const TOTP: &str = "FACTOR#TOTP";
pub(super) const RECOVERY: &str = "FACTOR#RECOVERY";

/// What the keys of passkeys begin with.
pub(super) const PASSKEY: &str = "FACTOR#PASSKEY#";

pub(super) fn passkey_key(id: &PasskeyId) -> String {
    format!("{PASSKEY}{id}")
}

/// Of a device that has signed in before, or of all others.
pub(super) fn factor_attempts_of(device: Option<DeviceId>) -> String {
    device.map_or_else(|| "FACTOR#ATTEMPTS".to_owned(), |device| format!("FACTOR#ATTEMPTS#{device}"))
}

pub(super) fn challenge_key(id: ChallengeId) -> String {
    format!("FACTOR#CHALLENGE#{id}")
}

/// Both keys of a ceremony. One that adds a passkey is in its account's partition, where no other account's id leads; one that
/// asks for a passkey has its own, as the answer alone shows whose it is.
pub(super) fn ceremony_key(user: Option<UserId>, id: CeremonyId) -> (String, String) {
    match user {
        Some(user) => (user_key(user), format!("FACTOR#CEREMONY#{id}")),
        None => (format!("CEREMONY#{id}"), "PASSKEY".to_owned()),
    }
}

/// What the keys of domain events begin with, in the partition of their subject and in that of staff.
pub(super) const EVENT: &str = "EVENT#";

pub(super) fn event_key(id: EventId) -> String {
    format!("{EVENT}{id}")
}

/// What staff did in a month: `STAFF#2026-11`.
pub(super) fn staff_key(at: Timestamp) -> String {
    format!("STAFF#{}", &at.rfc3339()[..7])
}

pub(super) const ERASURE: &str = "ERASURE";
/// Everything in an account's partition but the note of its erasure, which sorts first.
pub(super) const AFTER_ERASURE: (&str, &str) = ("ERASURE#", "~");

// In an address's partition.

pub(super) const OWNER: &str = "OWNER";

const ATTEMPTS: &str = "ATTEMPTS";

/// Of a device or of the account itself, or of all others.
pub(super) fn sign_in_attempts_of(device: Option<DeviceId>) -> String {
    device.map_or_else(|| ATTEMPTS.to_owned(), |device| format!("{ATTEMPTS}#{device}"))
}

/// All keys of attempts but that of strangers.
pub(super) const OWN_ATTEMPTS: (&str, &str) = ("ATTEMPTS#", "ATTEMPTS~");

/// When an email whose recipient a requester chose last went to an address.
pub(super) const EMAIL_THROTTLE: &str = "MAIL_TURN";

/// Why emails to an address do not arrive.
pub(super) const EMAIL_DELIVERY: &str = "DELIVERY";

/// An email that SES took, by the id that it gave it.
pub(super) fn sent_key(message_id: &str) -> String {
    format!("SENT#{message_id}")
}

/// All of them.
/// The one item [`EMAIL_DELIVERY`].
pub(super) const WHETHER_THEY_ARRIVE: (&str, &str) = (EMAIL_DELIVERY, "DELIVERY#");
pub(super) const SENT_EMAILS: (&str, &str) = ("SENT#", "SENT~");

/// What the keys of emails begin with.
pub(super) const EMAILS: &str = "MAIL#";

pub(super) fn email_key(id: EmailId) -> String {
    format!("{EMAILS}{id}")
}

pub(super) const INVITATIONS: &str = "INVITATIONS";
/// Which invitation an address has.
pub(super) const INVITATION: &str = "INVITATION";

pub(super) const WEBHOOKS: &str = "WEBHOOKS";

/// The partition of a webhook's deliveries, and their shard of the index `pending`.
pub(super) fn deliveries_of(webhook: WebhookId) -> String {
    format!("WEBHOOK#{webhook}")
}

pub(super) fn delivery_key(event: EventId) -> String {
    format!("DELIVERY#{event}")
}

/// All of them.
pub(super) const DELIVERIES: (&str, &str) = ("DELIVERY#", "DELIVERY~");

/// The partition of whose idempotency keys they are.
pub(super) fn caller_key(owner: KeyOwner) -> String {
    match owner {
        KeyOwner::User(user) => format!("CALLER#{user}"),
        KeyOwner::Network(network) => format!("CALLER#{network}"),
    }
}

/// Both keys of a request that came with an idempotency key.
pub(super) fn idempotency_key(owner: KeyOwner, key: &IdempotencyKey) -> (String, String) {
    (caller_key(owner), format!("KEY#{}", key.hash()))
}

/// All of them.
pub(super) const IDEMPOTENCY_KEYS: (&str, &str) = ("KEY#", "KEY~");

/// Both keys of a count of requests.
pub(super) fn limit_key(limit: Limit, network: ClientNetwork, window: Window) -> (String, String) {
    (format!("LIMIT#{limit}#{network}"), window.starts_at.seconds().to_string())
}

// What accounts are found by. A space sorts before all that words and addresses hold, and none of them has one.

/// Both keys of a word of a name.
pub(super) fn name_key(word: &str, id: UserId) -> (String, String) {
    (names_with(word), format!("{word} {id}"))
}

/// The partition of the words that begin as this one does.
pub(super) fn names_with(word: &str) -> String {
    format!("FIND#NAME#{}", first_of(word))
}

/// Both keys of an address.
pub(super) fn found_address_key(address: &str, id: UserId) -> (String, String) {
    (addresses_with(address), format!("{address} {id}"))
}

pub(super) fn addresses_with(address: &str) -> String {
    format!("FIND#EMAIL#{}", first_of(address))
}

fn first_of(text: &str) -> &str {
    &text[..text.chars().next().map_or(0, char::len_utf8)]
}

pub(super) fn having_role(role: &Role) -> String {
    format!("FIND#ROLE#{role}")
}

pub(super) fn having_status(status: Status) -> String {
    format!("FIND#STATUS#{}", status.as_str())
}

pub(super) fn external_key(id: &ExternalId) -> String {
    format!("FIND#EXTERNAL#{}", id.as_str())
}

// The keys table.

pub(super) const SIGNING: &str = "SIGNING";
/// A partition for each purpose: so a role may be allowed one MAC key and not the others.
pub(super) const MAC: &str = "MAC#";
/// Likewise.
pub(super) const SEAL: &str = "SEAL#";
pub(super) const KEY: &str = "KEY";

// The indexes of the main table.

/// All accounts, in one partition of the index `list`. It takes 1,000 writes a second: new accounts and changes of what lists
/// show. A sign-in writes none, but for the first with an imported password.
pub(super) const USERS: &str = "USERS";
/// Shards of the index `pending`: enough for thousands of new entries a second, few enough to read all at once.
/// Chosen once: another number would hide what was written under the old one.
pub(super) const SHARDS: u8 = 4;
/// Emails and erasures, in the index `pending`.
pub(super) const PENDING: &str = "PENDING";
/// Accounts that wait for their confirmation have shards of their own in the index `pending`: as many as a flood of registrations
/// leaves, they hold up no email.
pub(super) const UNCONFIRMED: &str = "UNCONFIRMED";
/// The attributes that make an account lapse, to be removed once its address is proved.
pub(super) const LAPSE: &str = "pending_shard, pending_at";

/// The shard of an id: its last byte is random.
pub(super) fn shard(name: &str, id: &[u8; 16]) -> String {
    format!("{name}#{}", id[15] % SHARDS)
}

pub(super) fn shards(name: &str) -> impl Iterator<Item = String> {
    (0..SHARDS).map(move |shard| format!("{name}#{shard}"))
}

/// Into the sparse index of what is pending; it is due once its writer has had time to do the work.
pub(super) fn mark_pending(item: &mut Item, id: &[u8; 16], created_at: Timestamp) {
    item.insert("pending_shard".into(), s(shard(PENDING, id)));
    item.insert("pending_at".into(), n(created_at.plus(sweep_after(0)).millis()));
}
