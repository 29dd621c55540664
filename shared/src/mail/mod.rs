//! The mails this service sends: what each one is told, and its subject, text and HTML.
//!
//! All wording lives in `texts/<language>.toml`, all markup in `templates/`. A name is shown in the
//! greeting alone, and only where it can be nothing but a name.

use std::{fmt, str::FromStr};

use crate::domain::mail::FactorChange;
use crate::domain::user::FactorSummary;

pub mod header;
mod render;

pub use render::{RenderError, render};

/// A mail to one person. `name` is the one on that person's account, also where it was a
/// stranger's attempt, under some other name, that caused the mail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    ConfirmAddress {
        name: &'a str,
        link: &'a str,
        valid_hours: u32,
    },
    /// Someone tried to register with an address that has an account. `password_link` is there
    /// when the account still waits for its confirmation: who reads the mail chooses a password,
    /// whoever registered first. `sign_in` is shown otherwise.
    AlreadyRegistered {
        name: &'a str,
        sign_in: &'a str,
        password_link: Option<&'a str>,
        valid_minutes: u32,
    },
    /// For an account that only a password chosen through this link makes usable. Without a name: whose it is, is in doubt.
    ChoosePassword {
        link: &'a str,
        valid_minutes: u32,
    },
    /// A sign-in with a client that the account has not seen. `client` is in words of ours, `at` RFC 3339 in UTC.
    NewSignIn {
        name: &'a str,
        client: &'a str,
        source_ip: Option<&'a str>,
        at: &'a str,
    },
    AccountDeleted {
        name: &'a str,
    },
    /// Someone forgot the password.
    ResetPassword {
        name: &'a str,
        link: &'a str,
        valid_minutes: u32,
    },
    PasswordChanged {
        name: &'a str,
        factors: FactorSummary,
    },
    /// To the address that an account is to have.
    ChangeAddress {
        name: &'a str,
        link: &'a str,
        valid_hours: u32,
    },
    /// To the address that an account had. Without a link where it went back to one that it had before.
    AddressChanged {
        name: &'a str,
        link: Option<&'a str>,
        valid_days: u32,
    },
    /// To the address that an account has again.
    AddressRestored {
        name: &'a str,
        link: &'a str,
        valid_minutes: u32,
    },
    SecondFactorChanged {
        name: &'a str,
        change: FactorChange,
    },
}

/// Prints the kind alone: links are secrets, names are personal.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConfirmAddress { .. } => "ConfirmAddress",
            Self::AlreadyRegistered { .. } => "AlreadyRegistered",
            Self::ChoosePassword { .. } => "ChoosePassword",
            Self::NewSignIn { .. } => "NewSignIn",
            Self::AccountDeleted { .. } => "AccountDeleted",
            Self::ResetPassword { .. } => "ResetPassword",
            Self::PasswordChanged { .. } => "PasswordChanged",
            Self::ChangeAddress { .. } => "ChangeAddress",
            Self::AddressChanged { .. } => "AddressChanged",
            Self::AddressRestored { .. } => "AddressRestored",
            Self::SecondFactorChanged { .. } => "SecondFactorChanged",
        })
    }
}

/// What every mail shows of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    pub product_name: String,
    /// Where to ask for help; without one, no mail offers any.
    pub support_address: Option<String>,
    pub home_url: String,
}

/// A mail ready to send: one line of subject, and the same words as text and as HTML.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Both parts hold the link, which is a secret.
impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// A language mails are written in: one variant here, one file in `texts/`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
}

impl Language {
    /// The BCP 47 tag, which is also the name of the file with its texts.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
        }
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        match tag {
            "en" => Ok(Self::English),
            _ => Err(UnknownLanguage(tag.to_owned())),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no mails are written in the language {0:?}")]
pub struct UnknownLanguage(String);
