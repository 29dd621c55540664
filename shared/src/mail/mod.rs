//! The mails this service sends: what each one is told, and its subject, text and HTML.
//!
//! All wording lives in `texts/<language>.toml`, all markup in `templates/`. A name is shown in the
//! greeting alone, and only where it can be nothing but a name.

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
