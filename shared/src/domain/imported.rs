//! Passwords that came from another system: how each is checked until a right one replaces it.
//!
//! Only what compares passwords reads them, so only such functions link the recipes of other systems. To everything else an account's
//! password is a text.

use std::fmt;
use std::str::FromStr;

use foreign_hashes::{Class, ForeignHash, Recipe};
use serde::{Deserialize, Serialize};

use super::password::{IMPORTED, PasswordHash};

/// How the password of an account that was imported is checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportedPassword {
    /// By the recipe of the system that it comes from.
    Hash(ForeignHash),
    /// A weak hash, hashed once more: argon2id of what the recipe makes of the right password.
    Wrapped { recipe: Recipe, phc: String },
    /// By asking where the account was before.
    Elsewhere(Elsewhere),
}

/// Who knows a password that no hash came along of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Elsewhere {
    /// A user pool of Amazon Cognito.
    Cognito { pool: String, client: String, username: String },
    /// The endpoint of the team's own that `LEGACY_PASSWORD_URL` names.
    Endpoint { username: String },
}

/// What checking a password costs, as far as time tells: accounts of one kind cannot be told from each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PasswordKind {
    /// This service's own hash.
    Own,
    /// Another system's.
    Foreign(Class),
    /// A weak one that is hashed once more.
    Wrapped(Class),
    Cognito {
        pool: String,
        client: String,
    },
    Endpoint,
}

/// What a hash of this service counts as.
pub const OWN: &str = "own";
const FOREIGN: &str = "foreign";
const WRAPPED: &str = "wrapped";
const COGNITO: &str = "cognito";
const ENDPOINT: &str = "endpoint";

/// One word for each, with what else tells it apart after a colon: "own", "foreign:bcrypt:12", "cognito:eu-central-1_x:client".
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

/// That text names no kind of password.
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
    /// Never: all of it can be written.
    pub fn to_hash(&self) -> Result<PasswordHash, serde_json::Error> {
        Ok(PasswordHash::new(format!("{IMPORTED}{} {}", self.kind(), serde_json::to_string(self)?)))
    }

    /// Of what is stored; `None` of a hash of this service.
    ///
    /// # Errors
    /// When it was not written by [`Self::to_hash`], or its cost is beyond what an import takes: a hash is a command to compute.
    pub fn of(hash: &PasswordHash) -> Result<Option<Self>, serde_json::Error> {
        let text = hash.expose().strip_prefix(IMPORTED).and_then(|text| text.split_once(' '));
        text.map(|(_, json)| serde_json::from_str(json)).transpose()
    }
}
