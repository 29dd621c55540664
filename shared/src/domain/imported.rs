//! Imported passwords: how each is verified until a successful sign-in replaces it.
//!
//! They are parsed only where passwords are verified, so only such functions link the recipes of other systems. For everything
//! else an account's password is a text.

use std::fmt;
use std::str::FromStr;

use foreign_hashes::{Class, ForeignHash, Recipe};
use serde::{Deserialize, Serialize};

use super::password::{IMPORTED, PasswordHash};

/// How an imported password is verified.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportedPassword {
    /// With the recipe of the former system.
    Hash(ForeignHash),
    /// A wrapped weak hash: argon2id over the output of the recipe for the correct password.
    Wrapped { recipe: Recipe, phc: String },
    /// By asking the former system.
    Elsewhere(Elsewhere),
}

/// The former system of a password that was imported without a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Elsewhere {
    /// A user pool of Amazon Cognito.
    Cognito { pool: String, client: String, username: String },
    /// The team's own endpoint at `LEGACY_PASSWORD_URL`.
    Endpoint { username: String },
}

/// The cost of verifying a password, as visible in timing: accounts of one kind are indistinguishable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PasswordKind {
    /// This service's own hash.
    Own,
    /// Another system's.
    Foreign(Class),
    /// A wrapped weak hash.
    Wrapped(Class),
    Cognito {
        pool: String,
        client: String,
    },
    Endpoint,
}

/// The kind of this service's own hashes.
pub const OWN: &str = "own";
const FOREIGN: &str = "foreign";
const WRAPPED: &str = "wrapped";
const COGNITO: &str = "cognito";
const ENDPOINT: &str = "endpoint";

/// A word for each, with its distinguishing details after a colon: "own", "foreign:bcrypt:12", "cognito:eu-central-1_x:client".
impl fmt::Display for PasswordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str(OWN),
            Self::Foreign(class) => write!(f, "{FOREIGN}:{class}"),
            Self::Wrapped(class) => write!(f, "{WRAPPED}:{class}"),
            Self::Cognito { pool, client } => write!(f, "{COGNITO}:{pool}:{client}"),
            Self::Endpoint => f.write_str(ENDPOINT),
        }
    }
}

/// The text is not a kind of password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKind;

impl FromStr for PasswordKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        match word {
            OWN => Ok(Self::Own),
            FOREIGN => rest.parse().map(Self::Foreign).map_err(|_| UnknownKind),
            WRAPPED => rest.parse().map(Self::Wrapped).map_err(|_| UnknownKind),
            COGNITO => {
                let (pool, client) = rest.split_once(':').ok_or(UnknownKind)?;
                Ok(Self::Cognito { pool: pool.to_owned(), client: client.to_owned() })
            }
            ENDPOINT => Ok(Self::Endpoint),
            _ => Err(UnknownKind),
        }
    }
}

impl ImportedPassword {
    #[must_use]
    pub fn kind(&self) -> PasswordKind {
        match self {
            Self::Hash(hash) => PasswordKind::Foreign(hash.class()),
            Self::Wrapped { recipe, .. } => PasswordKind::Wrapped(recipe.class()),
            Self::Elsewhere(Elsewhere::Cognito { pool, client, .. }) => {
                PasswordKind::Cognito { pool: pool.clone(), client: client.clone() }
            }
            Self::Elsewhere(Elsewhere::Endpoint { .. }) => PasswordKind::Endpoint,
        }
    }

    /// As it is stored.
    ///
    /// # Errors
    /// Never: it can always be serialized.
    pub fn to_hash(&self) -> Result<PasswordHash, serde_json::Error> {
        Ok(PasswordHash::new(format!("{IMPORTED}{} {}", self.kind(), serde_json::to_string(self)?)))
    }

    /// Parses a stored hash; `None` for this service's own hashes.
    ///
    /// # Errors
    /// When it was not written by [`Self::to_hash`], or its cost exceeds the limit of an import: a hash dictates the computation.
    pub fn of(hash: &PasswordHash) -> Result<Option<Self>, serde_json::Error> {
        let text = hash.expose().strip_prefix(IMPORTED).and_then(|text| text.split_once(' '));
        text.map(|(_, json)| serde_json::from_str(json)).transpose()
    }
}
