//! The keys that sign access tokens.
//!
//! Other services keep the published keys for minutes, and tokens name the key that signed them. So a key is published a day
//! before it signs, and the one before it stays published for an hour after that. `rotate` holds to it: it makes the next key
//! early, and does not have it sign at once. Where a key is compromised that is too late, and `revoke` does both at once.

use serde_json::{Value, json};
use shared::App;
use shared::clock::Timestamp;
use shared::domain::keys::{self, KeyTimes};
use shared::store::{KeyStore, PrivateKey};

use super::open;
use crate::args::{Change, Environment};
use crate::failure::{Failure, Result};
use crate::output::{Output, table, text};

/// # Errors
/// When the tables cannot be read.
pub async fn list(output: Output, environment: &Environment) -> Result<()> {
    let app = open(environment).await?;
    let keys = Known::read(&app).await?;
    let document = json!({ "keys": keys.documents(app.clock.now()) });
    output.tell(&document, |document| {
        let columns = ["kid", "algorithm", "state", "created_at", "signs_from"];
        let row = |key: &Value| columns.map(|name| text(&key[name])).to_vec();
        let rows: Vec<_> = document["keys"].as_array().into_iter().flatten().map(row).collect();
        table(&["KID", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM"], &rows)
    })
}

/// # Errors
/// When the tables cannot be read or written.
pub async fn rotate(output: Output, environment: &Environment, change: Change) -> Result<()> {
    let app = open(environment).await?;
    let now = app.clock.now();
    if change.dry_run {
        let keys = Known::read(&app).await?;
        let signs_from = keys::early_active_from(&keys.trusted(), now);
        let document = json!({ "dry_run": true, "signs_from": signs_from.map(Timestamp::rfc3339) });
        return output.tell(&document, |_| match signs_from {
            Some(from) => format!("a key would be published now, and would sign from {} on", from.rfc3339()),
            None => "the next key is already published: nothing would change".into(),
        });
    }
    let (next, made) = app.keys().make_next(now).await?;
    let from = next.active_from.rfc3339();
    let document = json!({ "status": if made { "made" } else { "waiting" }, "kid": next.kid, "signs_from": from });
    output.tell(&document, |_| {
        let what = if made { "published now" } else { "already published" };
        format!(
            "{} is {what}, and signs from {from} on, when services that cache the published keys have it\n\
             if the current key is compromised, run `users keys revoke`",
            next.kid
        )
    })
}

/// # Errors
/// [`Failure::NotFound`] when no key has this id; otherwise when the table cannot be read or written.
pub async fn revoke(output: Output, kid: &str, environment: &Environment, change: Change) -> Result<()> {
    let app = open(environment).await?;
    let not_found = || Failure::NotFound(format!("no key has the ID {kid}"));
    if change.dry_run {
        let known = app.store().public_keys().await?.into_iter().any(|key| key.kid == kid);
        let document = json!({ "dry_run": true, "kid": kid });
        return if known { output.tell(&document, |_| format!("{kid} would be revoked")) } else { Err(not_found()) };
    }
    if !app.store().revoke_key(kid, app.clock.now()).await? {
        return Err(not_found());
    }
    output.tell(&json!({ "status": "revoked", "kid": kid }), |_| {
        format!(
            "revoked {kid}: within a minute no endpoint accepts tokens signed with it, and another key signs\n\
             other services accept them for as long as they cache the published keys: five minutes"
        )
    })
}

/// The keys of both tables.
pub(super) struct Known {
    pub private: Vec<PrivateKey>,
    /// Ids of those that are published, with whether they are revoked.
    pub public: Vec<(String, bool)>,
}

impl Known {
    pub(super) async fn read(app: &App) -> Result<Self> {
        let store = KeyStore::new(app.dynamodb().clone(), app.config.tables.keys.clone());
        let (private, public) = tokio::try_join!(store.signing_keys(), app.store().public_keys())?;
        Ok(Self { private, public: public.into_iter().map(|key| (key.kid, key.revoked)).collect() })
    }

    /// The times of those that may sign: published, and not revoked.
    pub(super) fn trusted(&self) -> Vec<KeyTimes> {
        let trusted = |key: &&PrivateKey| self.public.iter().any(|(kid, revoked)| *kid == key.kid && !revoked);
        self.private.iter().filter(trusted).map(PrivateKey::times).collect()
    }

    pub(super) fn revoked(&self) -> usize {
        self.public.iter().filter(|(_, revoked)| *revoked).count()
    }

    /// Newest first.
    fn documents(&self, now: Timestamp) -> Vec<Value> {
        let trusted = self.trusted();
        let signing = keys::signing(&trusted, now).map(|key| key.kid.as_str());
        let mut private: Vec<&PrivateKey> = self.private.iter().collect();
        private.sort_by_key(|key| std::cmp::Reverse(key.active_from));
        let document = |key: &PrivateKey| {
            let state = if !trusted.iter().any(|known| known.kid == key.kid) {
                "revoked"
            } else if signing == Some(key.kid.as_str()) {
                "signing"
            } else if now < key.active_from {
                "next"
            } else {
                "former"
            };
            json!({
                "kid": key.kid,
                "algorithm": key.algorithm.as_str(),
                "state": state,
                "created_at": key.created_at.rfc3339(),
                "signs_from": key.active_from.rfc3339(),
            })
        };
        private.into_iter().map(document).collect()
    }
}
