//! Emails and pages.

use super::reader::Reader;
use crate::domain::email::EmailAddress;
use crate::domain::mailbox::Mailbox;
use crate::domain::name::UserName;

/// The sender of emails, and the product in emails and pages.
#[derive(Debug, Clone)]
pub struct Mail {
    /// `MAIL_QUEUE_URL`
    pub queue_url: String,
    /// `MAIL_FROM`: the sender, `Name <address>` or an address, verified in SES.
    pub from: Mailbox,
    /// `MAIL_REPLY_TO`: likewise.
    pub reply_to: Option<Mailbox>,
    /// `PRODUCT_NAME`: the name of the product in emails and pages, with the rules for a user's name.
    pub product_name: String,
    /// `SUPPORT_ADDRESS`: the support contact shown in emails; omitted if unset.
    pub support_address: Option<EmailAddress>,
    /// `LINK_BASE_URL`: the base URL of links in emails, `PUBLIC_URL` unless set.
    pub link_base_url: String,
    /// `HOME_URL`: where users sign in, `PUBLIC_URL` unless set.
    pub home_url: String,
    /// `CHANGE_PASSWORD_URL`: where users change the password, `HOME_URL` unless set.
    pub change_password_url: String,
    /// `SES_CONFIGURATION_SET`
    pub configuration_set: Option<String>,
}

impl Mail {
    /// `None` without a sender, which has no default.
    pub(super) fn read(reader: &mut Reader<'_>, public_url: &str) -> Option<Self> {
        let home_url = home_url(reader).unwrap_or_else(|| public_url.to_owned());
        Some(Self {
            queue_url: reader.required("MAIL_QUEUE_URL"),
            reply_to: reader.parsed("MAIL_REPLY_TO"),
            product_name: name(reader, "PRODUCT_NAME"),
            support_address: reader.parsed("SUPPORT_ADDRESS"),
            link_base_url: reader.optional_url("LINK_BASE_URL").unwrap_or_else(|| public_url.to_owned()),
            change_password_url: reader.optional_url("CHANGE_PASSWORD_URL").unwrap_or_else(|| home_url.clone()),
            home_url,
            configuration_set: reader.optional("SES_CONFIGURATION_SET"),
            // Last, after everything else has been checked.
            from: mailbox(reader, "MAIL_FROM")?,
        })
    }
}

/// Emails show it as it is, and email clients exclude punctuation at the end from a link.
fn home_url(reader: &mut Reader<'_>) -> Option<String> {
    let url = reader.optional_url("HOME_URL")?;
    if !url.ends_with(char::is_alphanumeric) {
        reader.problems.push("HOME_URL must end in a letter or digit".into());
    }
    Some(url)
}

fn mailbox(reader: &mut Reader<'_>, name: &str) -> Option<Mailbox> {
    if reader.required(name).is_empty() { None } else { reader.parsed(name) }
}

/// It is used in subjects, headings and titles.
fn name(reader: &mut Reader<'_>, name: &str) -> String {
    let text = reader.required(name);
    match UserName::parse(&text) {
        Err(problem) if !text.is_empty() => reader.problems.push(format!("{name}: {problem}")),
        Ok(parsed) => return parsed.to_string(),
        Err(_) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::{complete, read};

    #[test]
    fn settings_shown_in_emails_are_checked_at_startup() {
        let long = format!("https://example.com/{}", "&".repeat(160));
        for (name, wrong, right) in [
            ("ADMIN_EMAIL", "\u{ff41}dmin@example.com", "admin@example.com"),
            ("SUPPORT_ADDRESS", "help@localhost", "help@münchen.de"),
            ("MAIL_REPLY_TO", "help@example.com, more@example.com", "Help, always <help@example.com>"),
            ("MAIL_FROM", "Söhne <s\u{f6}hne@example.com>", "Körner & Söhne <info@körner.de>"),
            ("MAIL_FROM", "A\r\nBcc: b@example.com <a@example.com>", "Smith, Sons & Co. <a@example.com>"),
            ("MAIL_FROM", "Example", "\"Acme: Tools\" <a@example.com>"),
            ("PRODUCT_NAME", "Two\r\nLines", "Körner & Söhne: \"Tools\" 🛠"),
            ("PRODUCT_NAME", "\u{3164}", "A"),
            ("HOME_URL", "https://app.example.com/home_", "https://app.example.com/home/"),
            ("HOME_URL", "https://app.example.com/ home", "https://app.example.com/?from=email"),
            ("LINK_BASE_URL", "https://", "https://example.com/users"),
            ("LINK_BASE_URL", &long, &long[..90]),
        ] {
            let mut variables = complete();
            variables.insert(name, wrong);
            let problem = read(&variables).unwrap_err().to_string();
            assert_eq!(problem.matches(name).count(), 1, "{wrong}: {problem}");
            variables.insert(name, right);
            assert!(read(&variables).is_ok(), "{right}");
        }
    }
}
