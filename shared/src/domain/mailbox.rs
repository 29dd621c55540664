//! The sender of emails as configured: an address, or `Name <address>`.

use std::fmt;
use std::str::FromStr;

use super::Invalid;
use super::email::EmailAddress;
use super::name::UserName;

/// A display name in plain text, and an address. The encoding of the header (quotes, encoded words) is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    pub name: Option<UserName>,
    pub address: EmailAddress,
}

impl FromStr for Mailbox {
    type Err = Invalid;

    /// Accepts the name as it is, with commas, colons and letters of any script, or in quotes (RFC 5322, 3.4).
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let Some((name, address)) = text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) else {
            return Ok(Self { name: None, address: EmailAddress::parse(text)? });
        };
        let name = match name.trim() {
            "" => None,
            // Usually two mailboxes.
            name if name.contains(['<', '>']) => {
                return Err(Invalid::new(
                    "invalid_characters",
                    "must be a single mailbox whose name does not contain < or >",
                ));
            }
            name => Some(UserName::parse(&unquoted(name))?),
        };
        Ok(Self { name, address: EmailAddress::parse(address)? })
    }
}

/// The content of a quoted string; any other text is returned unchanged.
fn unquoted(name: &str) -> String {
    let Some(quoted) = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            // A quote inside: the text is not a quoted string.
            '"' => return name.to_owned(),
            other => text.push(other),
        }
    }
    text
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => self.address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_an_address_or_a_name_with_one() {
        for (text, name, address) in [
            ("no-reply@example.com", None, "no-reply@example.com"),
            (" <no-reply@example.com> ", None, "no-reply@example.com"),
            ("Example <no-reply@example.com>", Some("Example"), "no-reply@example.com"),
            ("Example<no-reply@example.com>", Some("Example"), "no-reply@example.com"),
            ("Körner & Söhne <info@körner.de>", Some("Körner & Söhne"), "info@körner.de"),
            ("Smith, Sons & Co. <a@example.com>", Some("Smith, Sons & Co."), "a@example.com"),
            ("\"Smith, Sons & Co.\" <a@example.com>", Some("Smith, Sons & Co."), "a@example.com"),
            ("\"The \\\"A\\\" \\\\ Team\" <a@example.com>", Some("The \"A\" \\ Team"), "a@example.com"),
            ("\"A\" and \"B\" <a@example.com>", Some("\"A\" and \"B\""), "a@example.com"),
            ("Acme: Tools <a@example.com>", Some("Acme: Tools"), "a@example.com"),
        ] {
            let mailbox: Mailbox = text.parse().unwrap();
            assert_eq!(mailbox.name.as_ref().map(UserName::as_str), name, "{text}");
            assert_eq!(mailbox.address.as_str(), address, "{text}");
            assert_eq!(mailbox.to_string().parse(), Ok(mailbox), "{text}");
        }
    }

    #[test]
    fn what_no_email_can_be_from_is_refused() {
        let long = format!("{} <a@example.com>", "a".repeat(101));
        for text in [
            "",
            "Example",
            "Example <>",
            "Example <a@example.com",
            "Example a@example.com",
            "Example <a@example.com>, Other <b@example.com>",
            "a <b> c <a@example.com>",
            "Example\r\nBcc: x@example.com <a@example.com>",
            "\u{3164} <a@example.com>",
            "\u{202e}x\u{202e}y <a@example.com>",
            "Example <é@example.com>",
            "Example <a@localhost>",
            &long,
        ] {
            assert!(text.parse::<Mailbox>().is_err(), "{text:?}");
        }
    }
}
