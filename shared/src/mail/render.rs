//! Rendering: the texts of a language are filled in once as plain text, then laid out twice.

use std::collections::BTreeMap;

use minijinja::{context, value::Serde};
use serde::Deserialize;

use super::greeting::reads_as_a_name;
use super::layout::environment;
use super::message::Button;
use super::{Brand, Language, Message, Rendered};

pub(super) const ENGLISH: &str = include_str!("texts/en.toml");

/// A text or layout that does not match the code. The tests render every email, so this is not expected.
/// It names the place in the template, never a value.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("the email texts are invalid")]
    Texts(#[from] toml::de::Error),
    #[error("the email texts have no section for {0}")]
    NoTexts(&'static str),
    #[error("an email template failed to render")]
    Template(#[from] minijinja::Error),
}

/// Renders `message` as an email from `brand`.
///
/// # Errors
/// When a text or layout does not match the code.
pub fn render(language: Language, brand: &Brand, message: &Message<'_>) -> Result<Rendered, RenderError> {
    let texts = match language {
        Language::English => ENGLISH,
    };
    fill_in(&toml::from_str(texts)?, language, brand, message)
}

/// A language's file: the texts of every email by key, and the parts that all emails share. A missing or unknown key is a parse
/// error.
#[derive(Deserialize)]
pub(super) struct Texts {
    frame: Frame,
    buttons: Buttons,
    #[serde(flatten)]
    pub emails: BTreeMap<String, Email>,
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
    accept: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Email {
    subject: String,
    preheader: String,
    pub heading: String,
    lead: Vec<String>,
    notes: Vec<String>,
}

impl Buttons {
    const fn label(&self, button: Button) -> &String {
        match button {
            Button::Confirm => &self.confirm,
            Button::SignIn => &self.sign_in,
            Button::ChoosePassword => &self.choose_password,
            Button::Undo => &self.undo,
            Button::Accept => &self.accept,
        }
    }
}

pub(super) fn fill_in(
    texts: &Texts,
    language: Language,
    brand: &Brand,
    message: &Message<'_>,
) -> Result<Rendered, RenderError> {
    let (key, mut words) = message.parts();
    let email = texts.emails.get(key).ok_or(RenderError::NoTexts(key))?;
    words.product = &brand.product_name;
    words.support = brand.support_address.as_deref();
    words.name = words.name.map(str::trim).filter(|name| reads_as_a_name(name));
    let frame = &texts.frame;
    let greeting = if words.name.is_some() { &frame.greeting } else { &frame.greeting_without_name };

    let environment = environment()?;
    let fill = |text: &String| environment.render_str(text, Serde(&words));
    // A paragraph may be for some accounts only.
    let fill_all = |texts: &[String]| {
        texts.iter().map(fill).filter(|text| !text.as_ref().is_ok_and(String::is_empty)).collect::<Result<Vec<_>, _>>()
    };

    // A line break in a subject would start another header.
    let subject = one_line(&fill(&email.subject)?);
    let parts = context! {
        language => language.tag(),
        direction => &*frame.direction,
        product => &*brand.product_name,
        home => &*brand.home_url,
        subject => &*subject,
        preheader => fill(&email.preheader)?,
        heading => fill(&email.heading)?,
        greeting => fill(greeting)?,
        lead => fill_all(&email.lead)?,
        link => words.button.map(|(_, link)| link),
        button => words.button.map(|(button, _)| fill(texts.buttons.label(button))).transpose()?,
        link_below_button => fill(&frame.link_below_button)?,
        notes => fill_all(&email.notes)?,
        sender => fill(&frame.sender)?,
        help => brand.support_address.as_ref().map(|_| fill(&frame.help)).transpose()?,
    };
    Ok(Rendered {
        text: environment.get_template("layout.txt")?.render(parts.clone())?,
        html: environment.get_template("layout.html")?.render(parts)?,
        subject,
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
