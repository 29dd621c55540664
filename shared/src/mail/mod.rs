//! The emails this service sends: their parameters, subject, text and HTML.
//!
//! All wording is in `texts/<language>.toml`, all markup in `templates/`. The user's name appears only in the greeting, and only
//! if it cannot be read as anything but a name.

use std::{fmt, str::FromStr};

mod greeting;
pub mod header;
mod layout;
mod message;
mod render;
#[cfg(test)]
mod tests;

pub use message::Message;
pub use render::{RenderError, render};

/// What every email shows about its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    pub product_name: String,
    /// Support contact shown in emails; omitted if unset.
    pub support_address: Option<String>,
    pub home_url: String,
}

/// An email ready to send: a single-line subject, and the same words as text and as HTML.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Both parts contain the link, which is a secret.
impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// A language of the emails: one variant here, one file in `texts/`.
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
#[error("the email language {0:?} is not supported")]
pub struct UnknownLanguage(String);
