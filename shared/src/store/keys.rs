//! Keys: private halves and MAC keys in a table of their own, public halves in the main table.

use aws_sdk_dynamodb::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::schema::{KEY, MAC, PUBLIC, SEAL, SIGNING};
use super::{Store, from_item, if_condition_held, s, to_item};
use crate::clock::Timestamp;
use crate::domain::keys::{Algorithm, KeyTimes};
use crate::error::{Error, Result};
use crate::grant::{DELETE, Grant, Grants, PUT, QUERY};

/// A signing key as it is kept.
#[derive(Debug, Clone, Deserialize)]
pub struct PrivateKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub created_at: Timestamp,
    pub active_from: Timestamp,
    /// PKCS #8 in DER, base64.
    pub pkcs8: SecretString,
}

impl PrivateKey {
    #[must_use]
    pub fn times(&self) -> KeyTimes {
        KeyTimes {
            kid: self.kid.clone(),
            algorithm: self.algorithm,
            created_at: self.created_at,
            active_from: self.active_from,
        }
    }
}

/// The public half, as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    pub kid: String,
    pub algorithm: Algorithm,
    /// A JWK (RFC 7517) as JSON.
    pub jwk: String,
    /// Whether an operator said that the key is compromised: by an attribute `revoked_at`, whatever it holds.
    #[serde(default, rename = "revoked_at", skip_serializing, deserialize_with = "is_there")]
    pub revoked: bool,
}

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl Store {
    pub const PUBLISH_KEY: Grants = &[Grant::table(&[PUT], &[PUBLIC])];

    /// Publishes the public half of a key.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn publish_key(&self, key: &PublicKey) -> Result<()> {
        let item = to_item(PUBLIC.into(), &key.kid, key)?;
        self.db.put_item().table_name(&self.table).set_item(Some(item)).send().await?;
        Ok(())
    }

    pub const WITHDRAW_KEY: Grants = &[Grant::table(&[DELETE], &[PUBLIC])];

    /// # Errors
    /// Only when the table cannot be written.
    pub async fn withdraw_key(&self, kid: &str) -> Result<()> {
        self.db.delete_item().table_name(&self.table).key("pk", s(PUBLIC)).key("sk", s(kid)).send().await?;
        Ok(())
    }

    /// Says that a key is compromised: within a minute nothing trusts what it signed, and another signs. `false` when there is no
    /// such key. For operators: no function has a right to it.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn revoke_key(&self, kid: &str, now: Timestamp) -> Result<bool> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(PUBLIC))
            .key("sk", s(kid))
            .update_expression("SET revoked_at = if_not_exists(revoked_at, :now)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", s(now.rfc3339()));
        Ok(if_condition_held(update.send().await)?.is_some())
    }

    pub const TRUSTED_KEYS: Grants = &[Grant::table(&[QUERY], &[PUBLIC])];

    /// The public halves of the keys that are trusted.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn trusted_keys(&self) -> Result<Vec<PublicKey>> {
        let mut keys = self.public_keys().await?;
        keys.retain(|key| !key.revoked);
        Ok(keys)
    }

    /// All public halves, revoked ones too: a handful at most.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn public_keys(&self) -> Result<Vec<PublicKey>> {
        partition(&self.db, &self.table, PUBLIC).await
    }
}

/// The table of private keys. Only functions that sign, and those that make keys, are allowed to read it.
#[derive(Debug, Clone)]
pub struct KeyStore {
    db: Client,
    table: String,
}

impl KeyStore {
    #[must_use]
    pub const fn new(db: Client, table: String) -> Self {
        Self { db, table }
    }

    pub const SIGNING_KEYS: Grants = &[Grant::keys_table(&[QUERY], &[SIGNING])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn signing_keys(&self) -> Result<Vec<PrivateKey>> {
        partition(&self.db, &self.table, SIGNING).await
    }

    pub const PUT_SIGNING_KEY: Grants = &[Grant::keys_table(&[PUT], &[SIGNING])];

    /// # Errors
    /// Only when the table cannot be written.
    pub async fn put_signing_key(&self, key: &PrivateKey) -> Result<()> {
        let mut item = to_item(SIGNING.into(), &key.kid, &key.times())?;
        item.insert("pkcs8".into(), s(key.pkcs8.expose_secret()));
        self.db.put_item().table_name(&self.table).set_item(Some(item)).send().await?;
        Ok(())
    }

    pub const DELETE_SIGNING_KEY: Grants = &[Grant::keys_table(&[DELETE], &[SIGNING])];

    /// # Errors
    /// Only when the table cannot be written.
    pub async fn delete_signing_key(&self, kid: &str) -> Result<()> {
        self.db.delete_item().table_name(&self.table).key("pk", s(SIGNING)).key("sk", s(kid)).send().await?;
        Ok(())
    }

    /// The MAC key for one purpose, created on first use. All concurrent callers get the same key.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn mac_key(&self, purpose: &str) -> Result<SecretBox<[u8; 32]>> {
        self.symmetric_key(MAC, purpose).await
    }

    /// The MAC key for one purpose, if it was made.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn find_mac_key(&self, purpose: &str) -> Result<Option<SecretBox<[u8; 32]>>> {
        self.find_symmetric_key(MAC, purpose).await
    }

    /// The encryption key for one purpose, created on first use.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn seal_key(&self, purpose: &str) -> Result<SecretBox<[u8; 32]>> {
        self.symmetric_key(SEAL, purpose).await
    }

    async fn symmetric_key(&self, kind: &str, purpose: &str) -> Result<SecretBox<[u8; 32]>> {
        if let Some(key) = self.find_symmetric_key(kind, purpose).await? {
            return Ok(key);
        }
        let fresh = STANDARD.encode(crate::random::bytes::<32>());
        let put = self
            .db
            .put_item()
            .table_name(&self.table)
            .item("pk", s(format!("{kind}{purpose}")))
            .item("sk", s(KEY))
            .item("key", s(fresh))
            .condition_expression("attribute_not_exists(pk)");
        if_condition_held(put.send().await)?;
        let written = self.find_symmetric_key(kind, purpose).await?;
        written.ok_or_else(|| Error::internal("a key that was just written is missing"))
    }

    async fn find_symmetric_key(&self, kind: &str, purpose: &str) -> Result<Option<SecretBox<[u8; 32]>>> {
        #[derive(Deserialize)]
        struct Stored {
            key: SecretString,
        }
        let get = self.db.get_item().table_name(&self.table).key("pk", s(format!("{kind}{purpose}"))).key("sk", s(KEY));
        let Some(item) = get.consistent_read(true).send().await?.item else {
            return Ok(None);
        };
        let Stored { key } = from_item(item)?;
        let bytes = STANDARD.decode(key.expose_secret()).map_err(Error::internal)?;
        let bytes = bytes.try_into().map_err(|_| Error::internal("a stored key does not have 32 bytes"))?;
        Ok(Some(SecretBox::new(Box::new(bytes))))
    }
}

async fn partition<T: serde::de::DeserializeOwned>(db: &Client, table: &str, pk: &str) -> Result<Vec<T>> {
    let query = db
        .query()
        .table_name(table)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", s(pk))
        .consistent_read(true);
    query.send().await?.items.unwrap_or_default().into_iter().map(from_item).collect()
}
