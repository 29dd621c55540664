//! A mailbox as a header of an email holds it (RFC 5322, 3.4; RFC 2047).

use std::fmt;

use email_encoding::headers::{rfc2047, writer::EmailWriter};

use crate::domain::mailbox::Mailbox;

/// The text before the name in the first line, so that encoded words respect the line length.
const FROM: usize = "From: ".len();

/// One line of ASCII: atoms as they are, other ASCII quoted, everything else as encoded words. SES accepts a display name in
/// this form only (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>).
///
/// # Errors
/// Never: writing to a `String` does not fail.
pub fn address(mailbox: &Mailbox) -> Result<String, fmt::Error> {
    // As configured if possible: an SES policy may name it, and compares it character by character.
    let typed = mailbox.address.as_str();
    let address = if typed.is_ascii() { typed.to_owned() } else { mailbox.address.for_sending() };
    Ok(match &mailbox.name {
        Some(name) => format!("{} <{address}>", display_name(name.as_str())?),
        None => address,
    })
}

fn display_name(name: &str) -> Result<String, fmt::Error> {
    if name.split(' ').all(is_atom) {
        return Ok(name.to_owned());
    }
    if name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Ok(format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")));
    }
    let mut words = String::new();
    rfc2047::encode(name, &mut EmailWriter::new(&mut words, FROM, 0, false))?;
    // SES folds the header itself and accepts no line break in a value.
    Ok(words.replace("\r\n", ""))
}

/// RFC 5322, 3.2.3. An encoded word is an atom, too, so a name that is already encoded stays as it is.
fn is_atom(word: &str) -> bool {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !word.is_empty() && word.bytes().all(is_atext)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn header(text: &str) -> String {
        address(&text.parse().unwrap()).unwrap()
    }

    /// Reported by users of aws-cdk (issue 18903) and saasmail (issue 198).
    #[test]
    fn a_name_is_quoted_or_encoded_as_it_needs() {
        for (mailbox, expected) in [
            ("a@example.com", "a@example.com"),
            ("No-Reply@Example.com", "No-Reply@Example.com"),
            ("a@münchen.de", "a@xn--mnchen-3ya.de"),
            ("Acme Accounts <a@example.com>", "Acme Accounts <a@example.com>"),
            ("Smith & Sons' <a@example.com>", "Smith & Sons' <a@example.com>"),
            ("Smith, Sons & Co. <a@example.com>", "\"Smith, Sons & Co.\" <a@example.com>"),
            ("Acme: Tools <a@example.com>", "\"Acme: Tools\" <a@example.com>"),
            ("Acme.com <a@example.com>", "\"Acme.com\" <a@example.com>"),
            ("a@b (c); [d] <a@example.com>", "\"a@b (c); [d]\" <a@example.com>"),
            ("The \"A\" \\ Team <a@example.com>", "\"The \\\"A\\\" \\\\ Team\" <a@example.com>"),
            ("Two  spaces <a@example.com>", "\"Two  spaces\" <a@example.com>"),
            ("Körner & Söhne <a@example.com>", "=?utf-8?b?S8O2cm5lciAmIFPDtmhuZQ==?= <a@example.com>"),
            ("=?utf-8?q?K=C3=B6rner?= <a@example.com>", "=?utf-8?q?K=C3=B6rner?= <a@example.com>"),
        ] {
            assert_eq!(header(mailbox), expected);
        }
    }

    /// The text of encoded words (RFC 2047, 6.2: whitespace between them is not part of it).
    fn decoded(words: &str) -> String {
        let bytes = words.split(' ').flat_map(|word| {
            assert!(word.len() <= 75, "{word}");
            let text =
                word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?=")).expect("an encoded word");
            STANDARD.decode(text).expect("base64")
        });
        String::from_utf8(bytes.collect()).expect("UTF-8")
    }

    #[test]
    fn a_long_name_is_several_words_of_one_line() {
        for name in ["ü".repeat(100), "👩‍💻 ".repeat(25), "Ж".repeat(50) + &" a".repeat(25)] {
            let header = header(&format!("{name} <a@example.com>"));
            let (words, _) = header.rsplit_once(" <").unwrap();
            assert_eq!(decoded(words), name.trim());
            assert!(header.len() < 998);
        }
    }

    proptest! {
        #[test]
        fn a_header_is_one_line_of_ascii_whatever_the_name(name in "\\PC{1,100}") {
            if let Ok(mailbox) = format!("{name} <a@example.com>").parse::<Mailbox>() {
                let header = address(&mailbox).unwrap();
                prop_assert!(header.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{}", header);
                prop_assert!(header.ends_with(" <a@example.com>") && header.len() < 998 - FROM);
                if mailbox.name.is_some_and(|name| !name.as_str().is_ascii()) {
                    decoded(header.rsplit_once(" <").unwrap().0);
                }
            }
        }
    }
}
