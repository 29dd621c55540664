//! Rendering: the texts of a language are filled in once as plain text, then laid out twice.

use minijinja::{
    AutoEscape, Environment, HtmlEscape, UndefinedBehavior, context, escape_formatter, syntax::SyntaxConfig,
    value::Serde,
};
use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;

use super::{Brand, Language, Message, Rendered};
use crate::domain::mail::FactorChange;
use crate::domain::user::FactorSummary;

const ENGLISH: &str = include_str!("texts/en.toml");
const LAYOUT_HTML: &str = include_str!("templates/layout.html");
const LAYOUT_TEXT: &str = include_str!("templates/layout.txt");

/// RFC 5322 asks for lines of at most 78 characters; 72 leaves room to be quoted.
const LINE_WIDTH: usize = 72;
/// It allows 998 octets in any line; what stands around a paragraph of HTML takes less than the rest.
const LINE_OCTETS: usize = 700;

/// A greeting with a longer name is likelier to be a message than a name.
const LONGEST_GREETED_NAME: usize = 50;
const MOST_WORDS: usize = 5;
const MOST_UNSPACED: usize = 5;
/// What may follow a name and a comma.
const SUFFIXES: &[&str] = &["Jr", "Jr.", "Sr", "Sr.", "II", "III", "IV"];
/// Parts of names that begin with a small letter.
const PARTICLES: &[&str] = &[
    "af", "al", "av", "bin", "bint", "d", "da", "dal", "das", "de", "del", "della", "den", "der", "di", "do", "dos",
    "du", "e", "el", "ibn", "la", "le", "ten", "ter", "van", "von", "y", "zu",
];
/// Words that messages in the language of the emails are made of, and names hardly ever.
const OF_MESSAGES: &[&str] = &[
    "account",
    "action",
    "alert",
    "and",
    "answer",
    "are",
    "attention",
    "bank",
    "blocked",
    "call",
    "card",
    "claim",
    "click",
    "code",
    "confirm",
    "congratulations",
    "contact",
    "email",
    "expired",
    "failed",
    "for",
    "free",
    "from",
    "has",
    "have",
    "here",
    "invoice",
    "is",
    "it",
    "locked",
    "log",
    "login",
    "mail",
    "message",
    "money",
    "not",
    "now",
    "open",
    "password",
    "pay",
    "payment",
    "phone",
    "please",
    "prize",
    "refund",
    "reply",
    "security",
    "send",
    "support",
    "suspended",
    "team",
    "the",
    "this",
    "to",
    "transfer",
    "urgent",
    "verify",
    "visit",
    "warning",
    "was",
    "with",
    "won",
    "you",
    "your",
];

/// A text or layout that does not fit the code. The tests render every mail, so none is expected.
/// It names the place in the template and never a value.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("the texts of mails are not as expected")]
    Texts(#[from] toml::de::Error),
    #[error("a mail's template does not render")]
    Template(#[from] minijinja::Error),
}

/// Renders `message` as a mail from `brand`.
///
/// # Errors
/// When a text or layout does not fit the code.
pub fn render(language: Language, brand: &Brand, message: &Message<'_>) -> Result<Rendered, RenderError> {
    let texts = match language {
        Language::English => ENGLISH,
    };
    fill_in(&toml::from_str(texts)?, language, brand, message)
}

/// The shape of a language's file. A key it lacks or has too many fails to parse.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    frame: Frame,
    buttons: Buttons,
    confirm_address: Mail,
    already_registered: Mail,
    already_registered_unconfirmed: Mail,
    choose_password: Mail,
    new_sign_in: Mail,
    account_deleted: Mail,
    reset_password: Mail,
    password_changed: Mail,
    change_address: Mail,
    address_changed: Mail,
    address_changed_back: Mail,
    address_restored: Mail,
    second_factor_added: Mail,
    second_factor_removed: Mail,
    passkey_added: Mail,
    passkey_removed: Mail,
    recovery_code_used: Mail,
    recovery_codes_renewed: Mail,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    direction: String,
    greeting: String,
    greeting_without_name: String,
    link_below_button: String,
    sender: String,
    help: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Buttons {
    confirm: String,
    sign_in: String,
    choose_password: String,
    undo: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mail {
    subject: String,
    preheader: String,
    heading: String,
    lead: Vec<String>,
    notes: Vec<String>,
}

/// What a text may mention. What is absent stays undefined, so that a text that prints it fails.
#[derive(Default, Serialize)]
struct Words<'a> {
    product: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    support: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_in: Option<SignInWords<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<usize>,
    /// Whether a factor is the first, or was the last, that the account has beside the password.
    alone: bool,
    /// The second factors that the account has, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    factors: Option<FactorSummary>,
}

#[derive(Serialize)]
struct SignInWords<'a> {
    client: &'a str,
    at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
}

/// How long a link is valid, in the unit that its texts are in.
#[derive(Clone, Copy)]
enum Valid {
    Minutes(u32),
    Hours(u32),
    Days(u32),
}

impl<'a> Words<'a> {
    /// What the texts of a message may mention.
    fn of(message: &Message<'a>, brand: &'a Brand, name: Option<&'a str>, valid: Option<Valid>) -> Self {
        let mut words =
            Self { product: &brand.product_name, support: brand.support_address.as_deref(), name, ..Self::default() };
        match valid {
            Some(Valid::Minutes(minutes)) => words.minutes = Some(minutes),
            Some(Valid::Hours(hours)) => words.hours = Some(hours),
            Some(Valid::Days(days)) => words.days = Some(days),
            None => {}
        }
        match *message {
            Message::NewSignIn { client, source_ip: from, at, .. } => {
                words.sign_in = Some(SignInWords { client, at, from });
            }
            Message::PasswordChanged { factors, .. } => {
                words.factors = Some(factors).filter(|factors| !factors.is_empty());
            }
            Message::SecondFactorChanged { change, .. } => match change {
                FactorChange::RecoveryCodeUsed(left) => words.left = Some(left),
                FactorChange::Added => words.alone = true,
                FactorChange::Removed { last: alone }
                | FactorChange::PasskeyAdded { first: alone }
                | FactorChange::PasskeyRemoved { last: alone } => words.alone = alone,
                FactorChange::AddedBeside | FactorChange::RecoveryCodesRenewed => {}
            },
            _ => {}
        }
        words
    }
}

fn fill_in(texts: &Texts, language: Language, brand: &Brand, message: &Message<'_>) -> Result<Rendered, RenderError> {
    let buttons = &texts.buttons;
    let (mail, name, button, valid) = match *message {
        Message::ConfirmAddress { name, link, valid_hours } => {
            (&texts.confirm_address, name, Some((&buttons.confirm, link)), Some(Valid::Hours(valid_hours)))
        }
        Message::AlreadyRegistered { name, password_link: Some(link), valid_minutes, .. } => {
            let mail = &texts.already_registered_unconfirmed;
            (mail, name, Some((&buttons.choose_password, link)), Some(Valid::Minutes(valid_minutes)))
        }
        Message::AlreadyRegistered { name, sign_in, password_link: None, .. } => {
            (&texts.already_registered, name, Some((&buttons.sign_in, sign_in)), None)
        }
        Message::ChoosePassword { link, valid_minutes } => {
            let valid = Some(Valid::Minutes(valid_minutes));
            (&texts.choose_password, "", Some((&buttons.choose_password, link)), valid)
        }
        Message::NewSignIn { name, .. } => (&texts.new_sign_in, name, None, None),
        Message::AccountDeleted { name } => (&texts.account_deleted, name, None, None),
        Message::ResetPassword { name, link, valid_minutes } => {
            let valid = Some(Valid::Minutes(valid_minutes));
            (&texts.reset_password, name, Some((&buttons.choose_password, link)), valid)
        }
        Message::PasswordChanged { name, .. } => (&texts.password_changed, name, None, None),
        Message::ChangeAddress { name, link, valid_hours } => {
            (&texts.change_address, name, Some((&buttons.confirm, link)), Some(Valid::Hours(valid_hours)))
        }
        Message::AddressChanged { name, link: Some(link), valid_days } => {
            (&texts.address_changed, name, Some((&buttons.undo, link)), Some(Valid::Days(valid_days)))
        }
        Message::AddressChanged { name, link: None, .. } => (&texts.address_changed_back, name, None, None),
        Message::AddressRestored { name, link, valid_minutes } => {
            let valid = Some(Valid::Minutes(valid_minutes));
            (&texts.address_restored, name, Some((&buttons.choose_password, link)), valid)
        }
        Message::SecondFactorChanged { name, change } => {
            let mail = match change {
                FactorChange::Added | FactorChange::AddedBeside => &texts.second_factor_added,
                FactorChange::Removed { .. } => &texts.second_factor_removed,
                FactorChange::PasskeyAdded { .. } => &texts.passkey_added,
                FactorChange::PasskeyRemoved { .. } => &texts.passkey_removed,
                FactorChange::RecoveryCodeUsed(_) => &texts.recovery_code_used,
                FactorChange::RecoveryCodesRenewed => &texts.recovery_codes_renewed,
            };
            (mail, name, None, None)
        }
    };
    let name = Some(name.trim()).filter(|name| reads_as_a_name(name));
    let frame = &texts.frame;
    let greeting = if name.is_some() { &frame.greeting } else { &frame.greeting_without_name };

    let environment = environment()?;
    let words = Words::of(message, brand, name, valid);
    let fill = |text: &String| environment.render_str(text, Serde(&words));
    // A paragraph may be for some accounts only.
    let fill_all = |texts: &[String]| {
        texts.iter().map(fill).filter(|text| !text.as_ref().is_ok_and(String::is_empty)).collect::<Result<Vec<_>, _>>()
    };

    // A line break in a subject would start another header.
    let subject = one_line(&fill(&mail.subject)?);
    let parts = context! {
        language => language.tag(),
        direction => &*frame.direction,
        product => &*brand.product_name,
        home => &*brand.home_url,
        subject => &*subject,
        preheader => fill(&mail.preheader)?,
        heading => fill(&mail.heading)?,
        greeting => fill(greeting)?,
        lead => fill_all(&mail.lead)?,
        link => button.map(|(_, link)| link),
        button => button.map(|(label, _)| fill(label)).transpose()?,
        link_below_button => fill(&frame.link_below_button)?,
        notes => fill_all(&mail.notes)?,
        sender => fill(&frame.sender)?,
        help => brand.support_address.as_ref().map(|_| fill(&frame.help)).transpose()?,
    };
    Ok(Rendered {
        text: environment.get_template("layout.txt")?.render(parts.clone())?,
        html: environment.get_template("layout.html")?.render(parts)?,
        subject,
    })
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // The engine escapes `/` too, which HTML does not need and which hides links from mail
    // programs and filters that look for them in the source.
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() && *state.auto_escape() == AutoEscape::Html => {
            out.write_str(&HtmlEscape(text).to_string().replace("&#x2f;", "/")).map_err(minijinja::Error::from)
        }
        _ => escape_formatter(out, state, value),
    });
    environment.add_filter("wrap", wrap);
    environment.add_filter("fold", fold);
    environment.add_template("layout.html", LAYOUT_HTML)?;
    environment.add_template("layout.txt", LAYOUT_TEXT)?;
    Ok(environment)
}

/// Whether a greeting may show this name. Anyone can register someone else's address under a name
/// of their choice and have us deliver it, so what could be an address, a number or a message is left
/// out: "Hello," costs nothing. Breaking it up with invisible characters would be weaker: its words
/// would still be read, and mail programs differ in what they turn into a link.
///
/// A name is few words of letters. In scripts that have capitals each word begins with one, but for
/// particles; and none is a word that messages are made of.
fn reads_as_a_name(name: &str) -> bool {
    // The one comma in a name is before what follows it, as in "John Smith, Jr."
    let name = match name.split_once(", ") {
        Some((name, suffix)) if SUFFIXES.contains(&suffix) => name,
        _ => name,
    };
    let words: Vec<&str> = name.split(' ').filter(|word| !word.is_empty()).collect();
    (1..=MOST_WORDS).contains(&words.len())
        && name.chars().count() <= LONGEST_GREETED_NAME
        && words.iter().all(|word| reads_as_part_of_a_name(word))
}

fn reads_as_part_of_a_name(word: &str) -> bool {
    // As in "Dr. No", but not as in "evil.example".
    let word = word.strip_suffix('.').unwrap_or(word);
    // "Jean-Luc", "O'Brien", "d'Arc", "al-Rashid".
    let parts: Vec<&str> = word.split(['-', '\'', '\u{2019}']).collect();
    let small_ones_are_particles =
        parts.iter().all(|part| !part.starts_with(char::is_lowercase) || PARTICLES.contains(part));
    let of_letters = parts.iter().all(|part| !part.is_empty() && part.chars().all(is_letter_of_a_name));
    let of_messages = parts.iter().any(|part| OF_MESSAGES.contains(&part.to_lowercase().as_str()));
    let unspaced = word.chars().filter(|letter| is_written_without_spaces(*letter)).count();
    of_letters && small_ones_are_particles && !of_messages && unspaced <= MOST_UNSPACED
}

fn is_letter_of_a_name(character: char) -> bool {
    match character {
        // Fullwidth letters, which browsers read as the ASCII ones.
        '\u{ff00}'..='\u{ff65}' => false,
        // Joiners that some scripts need, and the Japanese mark that repeats a letter.
        '\u{200c}' | '\u{200d}' | '\u{3005}' => true,
        _ => (character.is_alphabetic() || is_combining_mark(character)) && !character.is_numeric(),
    }
}

/// Chinese, Japanese and Korean, where a sentence is one word to whoever looks for spaces.
fn is_written_without_spaces(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{20000}'..='\u{3ffff}')
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Breaks a paragraph of the text into lines of at most `LINE_WIDTH` characters, never inside a word.
fn wrap(paragraph: &str) -> String {
    in_lines(paragraph, LINE_WIDTH, |word| word.chars().count())
}

/// Breaks a paragraph of the HTML into lines that stay short enough when they are escaped. A line break is a space there.
fn fold(paragraph: &str) -> String {
    in_lines(paragraph, LINE_OCTETS, |word| HtmlEscape(word).to_string().len())
}

fn in_lines(paragraph: &str, longest: usize, width_of: impl Fn(&str) -> usize) -> String {
    let mut wrapped = String::with_capacity(paragraph.len());
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let width = width_of(word);
        if column > 0 && column + 1 + width > longest {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += width;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://api.example.com/api/v1/auth/confirm?token=MZ2x-9_kQ0aVh3bYw7&from=mail";
    const SIGN_IN: &str = "https://app.example.com/sign-in";

    fn brand() -> Brand {
        Brand {
            product_name: "Smith & Sons' Tools".to_owned(),
            support_address: Some("help@example.com".to_owned()),
            home_url: "https://app.example.com".to_owned(),
        }
    }

    fn every_message(name: &str) -> [Message<'_>; 27] {
        every_message_with(name, LINK, SIGN_IN)
    }

    fn every_message_with<'a>(name: &'a str, link: &'a str, sign_in: &'a str) -> [Message<'a>; 27] {
        let changed = |change| Message::SecondFactorChanged { name, change };
        [
            Message::ConfirmAddress { name, link, valid_hours: 24 },
            Message::ConfirmAddress { name, link, valid_hours: 1 },
            Message::AlreadyRegistered { name, sign_in, password_link: None, valid_minutes: 30 },
            Message::AlreadyRegistered { name, sign_in, password_link: Some(link), valid_minutes: 30 },
            Message::ChoosePassword { link, valid_minutes: 30 },
            Message::NewSignIn {
                name,
                client: "Firefox on Linux",
                source_ip: Some("203.0.113.7"),
                at: "2026-11-23T09:00:00Z",
            },
            Message::AccountDeleted { name },
            Message::ResetPassword { name, link, valid_minutes: 30 },
            Message::ResetPassword { name, link, valid_minutes: 1 },
            Message::PasswordChanged { name, factors: FactorSummary::default() },
            Message::PasswordChanged { name, factors: FactorSummary { totp: true, passkeys: 2 } },
            Message::ChangeAddress { name, link, valid_hours: 24 },
            Message::AddressChanged { name, link: Some(link), valid_days: 7 },
            Message::AddressChanged { name, link: None, valid_days: 7 },
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
        ]
    }

    fn link_of(message: &Message<'_>) -> Option<&'static str> {
        match message {
            Message::AlreadyRegistered { password_link: None, .. } => Some(SIGN_IN),
            Message::NewSignIn { .. }
            | Message::AccountDeleted { .. }
            | Message::PasswordChanged { .. }
            | Message::AddressChanged { link: None, .. }
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
        let headings: [&String; 27] = [
            &texts.confirm_address.heading,
            &texts.confirm_address.heading,
            &texts.already_registered.heading,
            &texts.already_registered_unconfirmed.heading,
            &texts.choose_password.heading,
            &texts.new_sign_in.heading,
            &texts.account_deleted.heading,
            &texts.reset_password.heading,
            &texts.reset_password.heading,
            &texts.password_changed.heading,
            &texts.password_changed.heading,
            &texts.change_address.heading,
            &texts.address_changed.heading,
            &texts.address_changed_back.heading,
            &texts.address_restored.heading,
            &texts.second_factor_added.heading,
            &texts.second_factor_added.heading,
            &texts.second_factor_removed.heading,
            &texts.second_factor_removed.heading,
            &texts.passkey_added.heading,
            &texts.passkey_added.heading,
            &texts.passkey_removed.heading,
            &texts.passkey_removed.heading,
            &texts.recovery_code_used.heading,
            &texts.recovery_code_used.heading,
            &texts.recovery_code_used.heading,
            &texts.recovery_codes_renewed.heading,
        ];
        for (message, heading) in every_message("Ada Lovelace").iter().zip(headings) {
            let mail = rendered(message);
            assert!(mail.text.starts_with(heading.as_str()), "{}", mail.text);
            assert!(mail.html.contains(&format!(">{heading}</h1>")), "{}", mail.html);
            for part in [&mail.text, &mail.html] {
                let named = !matches!(message, Message::ChoosePassword { .. });
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
            assert!(text.contains("Smith & Sons' Tools"), "{text}");
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
    fn a_name_that_could_mislead_is_left_out_of_the_mail() {
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
    fn ordinary_names_of_many_scripts_are_greeted() {
        let names = [
            "Ada",
            "Ada Lovelace",
            "Ada  Lovelace",
            "Seán O'Brien",
            "Seán O’Brien",
            "Anne-Marie St. John, Jr.",
            "प्रिया शर्मा",
            "佐々木 希",
            "محمد علی",
            "Nguyễn Thị Minh Khai",
            "Zoe\u{308}",
            "ZOË KÖRNER",
            "Jeanne d'Arc",
            "Ludwig van Beethoven",
            "Maria da Conceição dos Santos",
            "Haroun al-Rashid",
            "J. R. R. Tolkien",
            "Đỗ Nhật Nam",
            "אברהם כהן",
            "김민준",
            "Ελένη Παπαδοπούλου",
        ];
        for name in names {
            assert!(reads_as_a_name(name), "{name}");
        }
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
    fn a_mail_says_how_many_recovery_codes_are_left() {
        for (left, words) in [(9, "9 recovery codes are left."), (1, "1 recovery code is left."), (0, "None is left")] {
            let change = FactorChange::RecoveryCodeUsed(left);
            let text = rendered(&Message::SecondFactorChanged { name: "Ada", change }).text;
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn no_template_syntax_reaches_a_mail() {
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
}
