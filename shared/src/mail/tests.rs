//! Every email, rendered.

use super::greeting::LONGEST_GREETED_NAME;
use super::layout::LINE_WIDTH;
use super::render::{ENGLISH, Texts, fill_in};
use super::*;
use crate::domain::mail::FactorChange;
use crate::domain::user::FactorSummary;

const LINK: &str = "https://api.example.com/api/v1/auth/confirm?token=MZ2x-9_kQ0aVh3bYw7&from=mail";
const SIGN_IN: &str = "https://app.example.com/sign-in";

fn brand() -> Brand {
    Brand {
        product_name: "Smith & Sons' Tools".to_owned(),
        support_address: Some("help@example.com".to_owned()),
        home_url: "https://app.example.com".to_owned(),
    }
}

fn every_message(name: &str) -> [Message<'_>; 34] {
    every_message_with(name, LINK, SIGN_IN)
}

fn every_message_with<'a>(name: &'a str, link: &'a str, sign_in: &'a str) -> [Message<'a>; 34] {
    let changed = |change| Message::SecondFactorChanged { name, change };
    [
        Message::ConfirmAddress { name, link, valid_hours: 24 },
        Message::ConfirmAddress { name, link, valid_hours: 1 },
        Message::AlreadyRegistered { name, sign_in },
        Message::AlreadyRegisteredUnconfirmed { name, link, valid_minutes: 30 },
        Message::ChoosePassword { link, valid_minutes: 30 },
        Message::NewSignIn {
            name,
            client: "Firefox on Linux",
            source_ip: Some("203.0.113.7"),
            at: "2026-11-23T09:00:00Z",
        },
        Message::AccountDeleted { name },
        Message::WebhookDisabled { host: "hooks.example.com", since: "2026-11-23T09:00:00Z" },
        Message::ResetPassword { name, link, valid_minutes: 30 },
        Message::ResetPassword { name, link, valid_minutes: 1 },
        Message::PasswordChanged { name, factors: FactorSummary::default() },
        Message::PasswordChanged { name, factors: FactorSummary { totp: true, passkeys: 2 } },
        Message::ChangeAddress { name, link, valid_hours: 24 },
        Message::AddressChanged { name, link, valid_days: 7 },
        Message::AddressChangedBack { name },
        Message::AddressChangedByStaff { name },
        Message::Invitation { link, valid_days: 7 },
        Message::Impersonated { name, at: "2026-11-23T09:00:00Z", write: false },
        Message::Impersonated { name, at: "2026-11-23T09:00:00Z", write: true },
        Message::AccountCreated { name, link, valid_days: 7 },
        Message::AddressRestored { name, link, valid_minutes: 30 },
        changed(FactorChange::Added),
        changed(FactorChange::AddedBeside),
        changed(FactorChange::Removed { last: true }),
        changed(FactorChange::Removed { last: false }),
        changed(FactorChange::PasskeyAdded { first: true }),
        changed(FactorChange::PasskeyAdded { first: false }),
        changed(FactorChange::PasskeyRemoved { last: true }),
        changed(FactorChange::PasskeyRemoved { last: false }),
        changed(FactorChange::RecoveryCodeUsed(9)),
        changed(FactorChange::RecoveryCodeUsed(1)),
        changed(FactorChange::RecoveryCodeUsed(0)),
        changed(FactorChange::RecoveryCodesRenewed),
        changed(FactorChange::RecoveryCodesRemoved),
    ]
}

fn link_of(message: &Message<'_>) -> Option<&'static str> {
    match message {
        Message::AlreadyRegistered { .. } => Some(SIGN_IN),
        Message::NewSignIn { .. }
        | Message::AccountDeleted { .. }
        | Message::WebhookDisabled { .. }
        | Message::PasswordChanged { .. }
        | Message::AddressChangedBack { .. }
        | Message::AddressChangedByStaff { .. }
        | Message::Impersonated { .. }
        | Message::SecondFactorChanged { .. } => None,
        _ => Some(LINK),
    }
}

fn rendered(message: &Message<'_>) -> Rendered {
    render(Language::English, &brand(), message).unwrap()
}

#[test]
fn every_kind_says_the_same_in_text_and_html() {
    let texts: Texts = toml::from_str(ENGLISH).unwrap();
    for message in &every_message("Ada Lovelace") {
        let heading = &texts.emails[message.parts().0].heading;
        let mail = rendered(message);
        assert!(mail.text.starts_with(heading.as_str()), "{}", mail.text);
        assert!(mail.html.contains(&format!(">{heading}</h1>")), "{}", mail.html);
        for part in [&mail.text, &mail.html] {
            let named = !matches!(
                message,
                Message::ChoosePassword { .. } | Message::WebhookDisabled { .. } | Message::Invitation { .. }
            );
            assert!(part.contains(if named { "Hello Ada Lovelace," } else { "Hello," }), "{part}");
            assert!(part.contains("help@example.com"), "{part}");
            assert!(part.contains("https://app.example.com"), "{part}");
        }
        assert!(mail.html.starts_with("<!doctype html>\n<html lang=\"en\" dir=\"ltr\""));
    }
}

#[test]
fn the_text_holds_the_link_once_alone_on_its_line() {
    for message in every_message("Ada") {
        let text = rendered(&message).text;
        let Some(link) = link_of(&message) else {
            assert_eq!(text.matches("http").count(), 1, "only the home page: {text}");
            continue;
        };
        assert_eq!(text.matches(link).count(), 1, "{text}");
        assert_eq!(text.lines().filter(|line| *line == link).count(), 1, "{text}");
    }
}

#[test]
fn the_html_holds_the_link_as_a_button_and_to_copy_escaped() {
    let html = rendered(&every_message("Ada")[0]).html;
    let escaped = LINK.replace('&', "&amp;");
    assert_eq!(html.matches(&format!("href=\"{escaped}\"")).count(), 2, "{html}");
    assert_eq!(html.matches(&format!(">{escaped}</a>")).count(), 1, "{html}");
    assert!(!html.contains(LINK), "an ampersand is left unescaped");
}

#[test]
fn html_loads_nothing_and_runs_nothing() {
    for message in every_message("Ada") {
        let html = rendered(&message).html;
        for foreign in ["<img", "<script", "<link", "url(", "@import", "@font-face", " src="] {
            assert!(!html.contains(foreign), "{foreign}");
        }
    }
}

#[test]
fn the_text_is_wrapped_and_free_of_markup() {
    for message in every_message("Ada") {
        let text = rendered(&message).text;
        for line in text.lines().filter(|line| !line.contains("://")) {
            assert!(line.chars().count() <= LINE_WIDTH, "{line}");
        }
        assert!(text.replace('\n', " ").contains("Smith & Sons' Tools"), "{text}");
        assert!(!text.contains("\n\n\n") && !text.ends_with("\n\n"), "{text:?}");
        assert!(!text.contains(['<', '>']), "{text}");
    }
}

/// RFC 5322, 2.1.1: a line has at most 998 octets.
#[test]
fn no_line_of_an_email_is_longer_than_998_octets() {
    let name = "Ж".repeat(LONGEST_GREETED_NAME);
    for product in ["'".repeat(100), "🛠".repeat(100), "& ".repeat(50), "A".repeat(100)] {
        let url = format!("https://example.com/{}", "&".repeat(156));
        let link = format!("{url}/api/v1/auth/password/reset?token={}", "a".repeat(64));
        let brand = Brand {
            product_name: product,
            support_address: Some(format!("{}@{}example.com", "'".repeat(64), "a123456789.".repeat(15))),
            home_url: url.clone(),
        };
        for message in every_message_with(&name, &link, &url) {
            let mail = render(Language::English, &brand, &message).unwrap();
            assert!(mail.subject.len() + "Subject: ".len() <= 998, "{}", mail.subject);
            for line in mail.text.lines().chain(mail.html.lines()) {
                assert!(line.len() <= 998, "{} octets: {line}", line.len());
            }
        }
    }
}

#[test]
fn a_name_that_could_mislead_is_left_out_of_the_email() {
    let names = [
        "<a href=https://evil.example>Click</a>",
        "http://evil.example",
        "www.evil.example",
        "evil.example",
        "evil\u{3002}example",
        "evil\u{ff0e}example",
        "ada@evil.example",
        "evil.example/prize",
        "Call 1 800 555 0100",
        "Call \u{661}\u{662}\u{663}",
        "You have won, answer this mail with your password today",
        "Your payment failed, answer with your card",
        "Your Payment Failed",
        "Payment failed",
        "Call Now",
        "Ada, Please Reply",
        "Account-Suspended",
        "ada pays nothing today",
        "Ada Is Bo Of The Day Now",
        "您的付款失败请回复",
        "Ada 🎁 Prize",
        "Ada\u{2028}Lovelace",
        "Ada\u{202e}moc.live",
        "Ada\r\nBcc: someone",
        "{{ product }}",
        "{% raw %}",
        "\"><b>",
        "",
        "   ",
    ];
    for name in names {
        for message in every_message(name) {
            let mail = rendered(&message);
            assert!(mail.text.contains("\n\nHello,\n\n"), "{name:?}: {}", mail.text);
            assert!(mail.html.contains(">Hello,</p>"), "{name:?}: {}", mail.html);
            assert!(!mail.html.contains("evil"), "{name:?}: {}", mail.html);
        }
    }
}

#[test]
fn an_apostrophe_in_a_name_is_escaped_in_html() {
    let html = rendered(&Message::AccountDeleted { name: "Seán O'Brien" }).html;
    assert!(html.contains("Hello Seán O&#x27;Brien,"), "{html}");
}

#[test]
fn a_subject_is_one_line_without_the_name() {
    let brand = Brand { product_name: "Two\r\nLines".to_owned(), ..brand() };
    for message in every_message("Ada") {
        let subject = render(Language::English, &brand, &message).unwrap().subject;
        assert!(subject.contains("Two Lines"), "{subject}");
        assert!(!subject.contains("Ada") && !subject.contains(['\r', '\n']), "{subject}");
    }
}

#[test]
fn hours_and_help_are_said_only_as_they_apply() {
    let [day, hour, ..] = every_message("Ada");
    assert!(rendered(&day).text.contains("valid for 24 hours."));
    assert!(rendered(&hour).text.contains("valid for 1 hour."));
    let brand = Brand { support_address: None, ..brand() };
    for message in every_message("Ada") {
        let mail = render(Language::English, &brand, &message).unwrap();
        assert!(!mail.text.contains("Questions?") && !mail.text.contains("write to"), "{}", mail.text);
        assert!(!mail.text.contains("none") && !mail.html.contains(">none"), "{}", mail.text);
    }
}

#[test]
fn an_email_says_how_many_recovery_codes_are_left() {
    for (left, words) in [
        (9, "You have 9 recovery codes left."),
        (1, "You have 1 recovery code left."),
        (0, "You have no recovery codes left"),
    ] {
        let change = FactorChange::RecoveryCodeUsed(left);
        let text = rendered(&Message::SecondFactorChanged { name: "Ada", change }).text;
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn no_template_syntax_reaches_an_email() {
    for message in every_message("Ada") {
        let mail = rendered(&message);
        for part in [mail.subject, mail.text, mail.html] {
            for syntax in ["{{", "}}", "{%", "%}", "{#"] {
                assert!(!part.contains(syntax), "{syntax} in {part}");
            }
        }
    }
}

#[test]
fn every_key_of_the_texts_is_needed_and_shown() {
    let texts: toml::Table = toml::from_str(ENGLISH).unwrap();
    let shown_by = |texts: &toml::Table| -> Result<String, RenderError> {
        let texts = texts.clone().try_into()?;
        let mut shown = String::new();
        for message in every_message("Ada").iter().chain(&every_message("")) {
            let mail = fill_in(&texts, Language::English, &brand(), message)?;
            shown.extend([mail.subject, mail.text, mail.html]);
        }
        Ok(shown)
    };
    assert!(shown_by(&texts).is_ok());
    for (section, keys) in &texts {
        for key in keys.as_table().unwrap().keys() {
            let mut marked = texts.clone();
            let value = &mut marked[section][key];
            *value = match value {
                toml::Value::Array(_) => vec!["MARKED"].into(),
                _ => "MARKED".into(),
            };
            assert!(shown_by(&marked).unwrap().contains("MARKED"), "{section}.{key} is never shown");

            let mut lacking = texts.clone();
            lacking[section].as_table_mut().unwrap().remove(key);
            assert!(shown_by(&lacking).is_err(), "{section}.{key} may be missing");
        }
        let mut unknown = texts.clone();
        unknown[section].as_table_mut().unwrap().insert("unknown".to_owned(), "".into());
        assert!(shown_by(&unknown).is_err(), "{section} takes any key");
    }
}

#[test]
fn a_text_that_mentions_what_is_not_there_fails() {
    let wrong = ENGLISH.replace("was deleted\"", "was deleted {{ hours }}\"");
    assert_ne!(wrong, ENGLISH);
    let wrong = toml::from_str(&wrong).unwrap();
    let message = Message::AccountDeleted { name: "Ada" };
    assert!(fill_in(&wrong, Language::English, &brand(), &message).is_err());
}

#[test]
fn debug_output_shows_neither_link_nor_name() {
    for message in every_message("Ada") {
        let shown = format!("{message:?} {:?}", rendered(&message));
        for secret in ["http", "token", "Ada"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn a_language_is_known_by_its_tag() {
    assert_eq!("en".parse::<Language>().unwrap(), Language::English);
    assert_eq!(Language::English.tag(), "en");
    assert!("xx".parse::<Language>().is_err());
}
