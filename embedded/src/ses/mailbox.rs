//! What SES accepts as an address: `local@domain`, or a display name and `<local@domain>` (RFC 5322, 3.4).
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>: nothing outside ASCII, a display name as an
//! encoded word (RFC 2047), a domain by its A-label. One address only: a comma or a colon that is not quoted would make two, or
//! a group.

/// RFC 5321, 4.5.3.1.
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;
const MAX_LABEL: usize = 63;
/// SES's own limit for a whole address with its display name.
const MAX_MAILBOX: usize = 320;

/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn check(mailbox: &str) -> Result<(), String> {
    if !mailbox.is_ascii() {
        return Err(format!("Local address or display name is not ASCII: {mailbox:?}"));
    }
    if mailbox.contains(|character: char| character.is_ascii_control()) {
        return Err(format!("Control characters in {mailbox:?}"));
    }
    if mailbox.len() > MAX_MAILBOX {
        return Err(format!("Longer than {MAX_MAILBOX} characters: {mailbox:?}"));
    }
    let address = match mailbox.trim().strip_suffix('>') {
        None => mailbox.trim(),
        Some(named) => {
            let (name, address) = named.rsplit_once('<').ok_or_else(|| format!("Missing '<' in {mailbox:?}"))?;
            if !is_phrase(name.trim()) {
                return Err(format!("The display name has to be quoted in {mailbox:?}"));
            }
            address
        }
    };
    let (local, domain) = address.rsplit_once('@').ok_or_else(|| format!("Missing final '@domain' in {mailbox:?}"))?;
    if !is_local(local) {
        return Err(format!("The local part is not valid in {mailbox:?}"));
    }
    if is_domain(domain) { Ok(()) } else { Err(format!("The domain is not valid in {mailbox:?}")) }
}

/// RFC 5322, 3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// Nothing, or words: atoms, in which full stops are tolerated (RFC 5322, 4.1), and quoted strings.
fn is_phrase(phrase: &str) -> bool {
    let mut rest = phrase;
    while !rest.is_empty() {
        rest = if let Some(quoted) = rest.strip_prefix('"') {
            let Some(after) = after_quoted(quoted) else { return false };
            after
        } else {
            let end = rest.bytes().position(|byte| !is_atext(byte) && byte != b'.').unwrap_or(rest.len());
            // The first of an atom is no full stop, and something else than an atom is not allowed at all.
            if end == 0 || rest.starts_with('.') {
                return false;
            }
            rest.get(end..).unwrap_or_default()
        };
        rest = rest.trim_start_matches(' ');
    }
    true
}

/// What follows the closing quote; `None` when there is none.
fn after_quoted(quoted: &str) -> Option<&str> {
    let mut bytes = quoted.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => _ = bytes.next()?,
            b'"' => return quoted.get(at + 1..),
            _ => {}
        }
    }
    None
}

/// A dot-atom, or a quoted string.
fn is_local(local: &str) -> bool {
    let atoms = || local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext));
    let quoted = || local.strip_prefix('"').and_then(after_quoted) == Some("");
    local.len() <= MAX_LOCAL && (atoms() || quoted())
}

/// Labels of letters, digits and hyphens (RFC 1123, 2.1).
fn is_domain(domain: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.len() <= MAX_DOMAIN && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_mailbox_is_one_address_with_or_without_a_name() {
        for (mailbox, taken) in [
            ("ada@example.com", true),
            ("ada.lovelace+news@example.com", true),
            ("\"ada lovelace\"@example.com", true),
            ("ada@xn--bcher-kva.example", true),
            ("ada@localhost", true),
            ("<ada@example.com>", true),
            ("Example <no-reply@example.com>", true),
            ("Example & Co <no-reply@example.com>", true),
            ("John Q. Public <john@example.com>", true),
            ("\"Smith, Sons & Co.\" <no-reply@example.com>", true),
            ("\"A \\\"quoted\\\" name\" <a@example.com>", true),
            ("=?utf-8?q?K=C3=B6rner?= <no-reply@example.com>", true),
            ("=?utf-8?B?S8O2cm5lcg==?= =?utf-8?B?S8O2cm5lcg==?= <a@example.com>", true),
            ("Smith, Sons & Co. <no-reply@example.com>", false),
            ("Acme: Tools <no-reply@example.com>", false),
            ("Acme (Tools) <no-reply@example.com>", false),
            ("Acme [Tools] <no-reply@example.com>", false),
            ("Acme; Tools <no-reply@example.com>", false),
            ("a@b <no-reply@example.com>", false),
            (".Acme <no-reply@example.com>", false),
            ("\"Acme <no-reply@example.com>", false),
            ("Acme\" <no-reply@example.com>", false),
            ("Acme\\ <no-reply@example.com>", false),
            ("Körner <no-reply@example.com>", false),
            ("ädä@example.com", false),
            ("ada@bücher.example", false),
            ("Acme\r\nBcc: eve@example.com <no-reply@example.com>", false),
            ("ada@example.com\n", false),
            ("ada@example.com, eve@example.com", false),
            ("Acme: ada@example.com;", false),
            ("ada", false),
            ("ada@", false),
            ("@example.com", false),
            ("ada@@example.com", false),
            ("ada@example.com.", false),
            ("ada@.example.com", false),
            ("ada@example..com", false),
            ("ada@-example.com", false),
            ("ada@exam ple.com", false),
            ("ada@[127.0.0.1]", false),
            (".ada@example.com", false),
            ("ada.@example.com", false),
            ("a..da@example.com", false),
            ("ada lovelace@example.com", false),
            ("Example no-reply@example.com>", false),
            ("Example <no-reply@example.com", false),
            ("", false),
            ("<>", false),
        ] {
            assert_eq!(check(mailbox).is_ok(), taken, "{mailbox}");
        }
    }

    #[test]
    fn parts_that_are_too_long_are_refused() {
        let address = |local: usize, label: usize| format!("{}@{}.example", "a".repeat(local), "b".repeat(label));
        assert!(check(&address(64, 63)).is_ok());
        assert!(check(&address(65, 63)).is_err());
        assert!(check(&address(64, 64)).is_err());
        assert!(check(&format!("{} <a@example.com>", "n".repeat(320))).is_err());
    }
}
