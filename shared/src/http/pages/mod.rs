//! The pages behind emailed links. Opening a link shows a button or a form and changes nothing, so a scanner that follows the
//! links in emails uses none of them.
//!
//! They contain no script and load nothing. Serve them with [`CONTENT_SECURITY_POLICY`] and with `Referrer-Policy: no-referrer`,
//! because the token is in the URL of the first page.

use std::borrow::Cow;
use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig};

use crate::domain::password::MinLength;
use crate::domain::user::FactorSummary;

/// Allows the one style sheet, by its hash, and form submissions to this service.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
    style-src 'sha256-DxBEOXGX4fB7K33OjMJnLMB0lh4DVcpIKslH5Bz1WV8='; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const STYLE: &str = include_str!("style.css");

/// What a button is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    ConfirmAddress,
    ConfirmNewAddress,
    UndoChange,
    AcceptInvitation,
}

impl Button {
    /// Heading, what it does, label.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::ConfirmAddress => (
                "Confirm your email address",
                "Click the button to confirm that the email address this link was sent to is yours.",
                "Confirm email address",
            ),
            Self::ConfirmNewAddress => (
                "Confirm your new email address",
                "Click the button to confirm that the email address this link was sent to is yours. You will then sign in \
                 with it.",
                "Confirm new email address",
            ),
            Self::UndoChange => (
                "Undo this change?",
                "Click the button to give your account back the email address that this link was sent to. All devices \
                 will be signed out, and we will send you a link to choose a new password.",
                "Undo this change",
            ),
            Self::AcceptInvitation => (
                "You are invited",
                "Click the button to accept the invitation with the account that this link was sent to.",
                "Accept the invitation",
            ),
        }
    }
}

/// The result of submitting the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Confirmed,
    AlreadyConfirmed,
    Expired,
    PasswordReset {
        factors: FactorSummary,
        /// Whether that also confirmed the address.
        confirmed: bool,
    },
    ResetUsed,
    ResetExpired,
    /// Only a password chosen through another link confirms the account.
    NeedsChosenPassword,
    AddressChanged,
    ChangeUsed,
    ChangeExpired,
    /// Another account has the address that was to be confirmed.
    AddressTaken,
    AddressRestored,
    UndoUsed,
    UndoExpired,
    InvitationAccepted,
    InvitationUsed,
    InvitationExpired,
    /// An unknown or incomplete link.
    Invalid,
    /// The attempt failed on our side; the link stays valid.
    Unavailable,
}

impl Outcome {
    const fn heading(self) -> &'static str {
        match self {
            Self::Confirmed => "Your email address is confirmed",
            Self::AlreadyConfirmed => "Your email address is already confirmed",
            Self::Expired | Self::ResetExpired | Self::ChangeExpired | Self::UndoExpired | Self::InvitationExpired => {
                "This link has expired"
            }
            Self::PasswordReset { confirmed: true, .. } => "Your email address is confirmed and your password is set",
            Self::PasswordReset { .. } => "Your password is set",
            Self::NeedsChosenPassword => "Choose a password instead",
            Self::ResetUsed | Self::ChangeUsed | Self::UndoUsed | Self::InvitationUsed => {
                "This link has already been used"
            }
            Self::InvitationAccepted => "You accepted the invitation",
            Self::AddressChanged => "Your new email address is confirmed",
            Self::AddressTaken => "This email address is already in use",
            Self::AddressRestored => "Your account has this email address again",
            Self::Invalid => "This link does not work",
            Self::Unavailable => "Something went wrong",
        }
    }

    /// Further paragraphs, which depend on the account.
    fn details(self) -> Vec<String> {
        let Self::PasswordReset { factors, .. } = self else { return Vec::new() };
        if factors.is_empty() {
            return Vec::new();
        }
        let app = factors.totp.then(|| "an authenticator app".to_owned());
        let passkeys = match factors.passkeys {
            0 => None,
            1 => Some("a passkey".to_owned()),
            many => Some(format!("{many} passkeys")),
        };
        let list = [app, passkeys].into_iter().flatten().collect::<Vec<_>>().join(" and ");
        vec![
            format!("Signing in also requires a second factor: your account has {list}, and recovery codes."),
            "If you did not add all of these yourself, someone else can still sign in: remove the others in the security settings \
             of your account and create new recovery codes. If you cannot sign in because of them, contact support."
                .to_owned(),
        ]
    }

    const fn paragraphs(self) -> &'static [&'static str] {
        match self {
            Self::Confirmed => &["Thank you. Your account is ready and you can sign in."],
            Self::AlreadyConfirmed => &["No further action is needed. You can sign in."],
            Self::Expired => &[
                "Confirmation links are valid for a limited time only.",
                "To get a new one, request the confirmation email again, or register again with the \
                 same email address: the email you receive then contains a new link.",
            ],
            Self::PasswordReset { confirmed: true, .. } => &["Your account is ready. Sign in with your password."],
            Self::PasswordReset { .. } => &["All devices were signed out. Sign in with your new password."],
            Self::NeedsChosenPassword => &[
                "To confirm this email address, choose a password for its account. The account is then yours, even if someone \
                 else also registered with your address.",
                "The link to do so is in the latest email that we sent you. To get another, request the confirmation email \
                 again.",
            ],
            Self::ResetUsed => &[
                "It works once, and only until the password or the email address is changed in another way.",
                "If you cannot sign in, request a password reset on the sign-in page, and we will send you a new link.",
            ],
            Self::ResetExpired => &[
                "Links to choose a password are valid for a short time only.",
                "To get a new one, request a password reset again.",
            ],
            Self::AddressChanged => &["You now sign in with it. We have notified your old email address."],
            Self::ChangeUsed => &[
                "The email address has already been confirmed, or the change was replaced by another one.",
                "Your account shows its current email address, and you can change it there again.",
            ],
            Self::ChangeExpired => &[
                "Links to confirm a new email address are valid for one day only, so your account keeps its previous one.",
                "To get a new link, change the email address in your account again.",
            ],
            Self::AddressTaken => &[
                "Another account was registered with it, so your account keeps its previous email address.",
                "If that account is also yours, sign in to it, or request a password reset for it.",
            ],
            Self::AddressRestored => &[
                "All devices were signed out, the password no longer works, and second factors that were added with the change \
                 were removed.",
                "Choose a new password now: the link to do so is on its way to you by email.",
            ],
            Self::UndoUsed => &[
                "Your account already has this email address again, or a change was undone from an earlier one.",
                "If you cannot sign in, request a password reset on the sign-in page.",
            ],
            Self::UndoExpired => &[
                "A change of email address can be undone for a week only.",
                "If you did not make it, please contact support.",
            ],
            Self::InvitationAccepted => {
                &["Thank you. The invitation now applies to your account, and you can sign in."]
            }
            Self::InvitationUsed => &["The invitation has already been accepted. You can sign in."],
            Self::InvitationExpired => {
                &["Invitations are valid for seven days. Ask the person who invited you for a new one."]
            }
            Self::Invalid => &[
                "It may be incomplete. Open it again from the email, or copy the whole link from there into your browser.",
                "If you have received a newer email, use the link in that one. To get a new link, register, change the email \
                 address or request a password reset again.",
            ],
            Self::Unavailable => &["The problem is on our side, and your link is still valid. Please open it again \
                 from the email in a few minutes."],
        }
    }
}

/// The page with the button: it posts `token` to `action`, a path of this service.
///
/// # Panics
/// Never with the templates built in, as the tests show.
#[must_use]
pub fn button(product: &str, what: Button, action: &str, token: &str) -> String {
    let (heading, lead, button) = what.words();
    let aside = "If you did not request this, close this page. Nothing happens until you click the button.";
    let aside = if what == Button::UndoChange { "Nothing happens until you click the button." } else { aside };
    page("confirm.html", context! { product, heading, lead, button, aside, action, token, style => STYLE })
}

/// What the form for a new password shows and sends.
#[derive(Clone, Copy, Debug)]
pub struct PasswordForm<'a> {
    pub product: &'a str,
    /// The path of this service that it posts `token` and `password` to.
    pub action: &'a str,
    pub token: &'a str,
    /// The account's email address, so that password managers store the password under it.
    pub email: &'a str,
    /// Whether choosing the password also confirms the address.
    pub confirms: bool,
    pub shortest: MinLength,
    /// Why the previous password was rejected.
    pub problem: Option<&'a str>,
}

/// The page with the form for a new password.
///
/// # Panics
/// Never with the templates built in, as the tests show.
#[must_use]
pub fn password_form(form: &PasswordForm<'_>) -> String {
    let PasswordForm { product, action, token, email, confirms, shortest, problem } = *form;
    let heading = if confirms { "Choose a password" } else { "Choose a new password" };
    let shortest = shortest.characters();
    page(
        "password.html",
        context! { product, heading, action, token, email, confirms, problem, shortest, style => STYLE },
    )
}

/// What the form for accepting an invitation shows and sends.
#[derive(Clone, Copy, Debug)]
pub struct InvitationForm<'a> {
    pub product: &'a str,
    /// The path of this service that it posts `token`, `name` and `password` to.
    pub action: &'a str,
    pub token: &'a str,
    /// The invited email address.
    pub email: &'a str,
    /// The previous input; none if the account has a name.
    pub name: Option<&'a str>,
    pub shortest: MinLength,
    /// Why the previous input was rejected.
    pub problem: Option<&'a str>,
}

/// The page with the form to accept an invitation.
///
/// # Panics
/// Never with the templates built in, as the tests show.
#[must_use]
pub fn invitation_form(form: &InvitationForm<'_>) -> String {
    let InvitationForm { product, action, token, email, name, shortest, problem } = *form;
    let (heading, shortest) = ("You are invited", shortest.characters());
    page(
        "invitation.html",
        context! { product, heading, action, token, email, name, problem, shortest, style => STYLE },
    )
}

/// The page that shows the outcome, with a link to `home_url`.
///
/// # Panics
/// Never with the templates built in, as the tests show.
#[must_use]
pub fn outcome(product: &str, outcome: Outcome, home_url: &str) -> String {
    let heading = outcome.heading();
    let paragraphs: Vec<Cow<'_, str>> = outcome
        .paragraphs()
        .iter()
        .copied()
        .map(Cow::from)
        .chain(outcome.details().into_iter().map(Cow::from))
        .collect();
    page("outcome.html", context! { product, heading, paragraphs, home_url, style => STYLE })
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    templates.set_syntax(syntax.expect("the usual syntax is sound"));
    for (name, source) in [
        ("page.html", include_str!("page.html")),
        ("confirm.html", include_str!("confirm.html")),
        ("password.html", include_str!("password.html")),
        ("invitation.html", include_str!("invitation.html")),
        ("outcome.html", include_str!("outcome.html")),
    ] {
        templates.add_template(name, source).expect("the templates built in parse");
    }
    templates
});

fn page(name: &str, values: Value) -> String {
    TEMPLATES.get_template(name).and_then(|template| template.render(values)).expect("the templates built in render")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_OUTCOME: [Outcome; 21] = [
        Outcome::Confirmed,
        Outcome::AlreadyConfirmed,
        Outcome::Expired,
        Outcome::PasswordReset { factors: FactorSummary { totp: false, passkeys: 0 }, confirmed: false },
        Outcome::PasswordReset { factors: FactorSummary { totp: false, passkeys: 0 }, confirmed: true },
        Outcome::PasswordReset { factors: FactorSummary { totp: true, passkeys: 2 }, confirmed: false },
        Outcome::NeedsChosenPassword,
        Outcome::ResetUsed,
        Outcome::ResetExpired,
        Outcome::AddressChanged,
        Outcome::ChangeUsed,
        Outcome::ChangeExpired,
        Outcome::AddressTaken,
        Outcome::AddressRestored,
        Outcome::UndoUsed,
        Outcome::UndoExpired,
        Outcome::InvitationAccepted,
        Outcome::InvitationUsed,
        Outcome::InvitationExpired,
        Outcome::Invalid,
        Outcome::Unavailable,
    ];
    const EVERY_BUTTON: [Button; 4] =
        [Button::ConfirmAddress, Button::ConfirmNewAddress, Button::UndoChange, Button::AcceptInvitation];
    const HOSTILE: &str = "\"><script>alert('&')</script>{{ style }}";

    fn every_page(value: &str) -> Vec<String> {
        let outcomes = EVERY_OUTCOME.map(|each| outcome(value, each, value));
        let buttons = EVERY_BUTTON.map(|each| button(value, each, value, value));
        let invitations = [false, true].map(|asks_name| {
            let (product, action, token, email, problem) = (value, value, value, value, Some(value));
            let (name, shortest) = (asks_name.then_some(value), MinLength::default());
            invitation_form(&InvitationForm { product, action, token, email, name, shortest, problem })
        });
        let forms = [(false, None), (true, Some(value))].map(|(confirms, problem)| {
            let (product, action, token, email, shortest) = (value, value, value, value, MinLength::default());
            password_form(&PasswordForm { product, action, token, email, confirms, shortest, problem })
        });
        outcomes.into_iter().chain(buttons).chain(forms).chain(invitations).collect()
    }

    fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
        page.split_once(start).unwrap().1.split_once(end).unwrap().0
    }

    #[test]
    fn the_policy_allows_the_style_that_the_pages_hold() {
        use aws_lc_rs::digest::{SHA256, digest};
        use base64::{Engine, engine::general_purpose::STANDARD};
        for page in every_page("Example") {
            let style = between(&page, "<style>", "</style>");
            let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
            assert!(
                CONTENT_SECURITY_POLICY.contains(&format!("style-src 'sha256-{hash}';")),
                "the style's hash is now {hash}"
            );
        }
    }

    #[test]
    fn the_policy_leaves_the_pages_nothing_else_to_use() {
        assert!(CONTENT_SECURITY_POLICY.starts_with("default-src 'none'; style-src 'sha256-"));
        for page in every_page("Example") {
            assert_eq!(page.matches("<style").count(), 1);
            for other in ["<script", "<link", "<img", "<iframe", " style=", " src=", "onload", "onclick", "url("] {
                assert!(!page.contains(other), "{other} in {page}");
            }
        }
    }

    #[test]
    fn the_form_posts_the_token_to_where_it_came_from() {
        let (action, token) = ("/api/v1/auth/confirm", "MZ2x-9_kQ0");
        let buttons = EVERY_BUTTON.map(|each| button("Example", each, action, token));
        let (product, email, shortest) = ("Example", "ada@example.com", MinLength::default());
        let form = PasswordForm { product, action, token, email, confirms: false, shortest, problem: None };
        let form = password_form(&form);
        for page in buttons.into_iter().chain([form]) {
            assert!(
                page.contains("<form method=\"post\" action=\"&#x2f;api&#x2f;v1&#x2f;auth&#x2f;confirm\">"),
                "{page}"
            );
            assert!(page.contains("<input type=\"hidden\" name=\"token\" value=\"MZ2x-9_kQ0\">"), "{page}");
            assert_eq!(page.matches("<button").count(), 1);
        }
    }

    #[test]
    fn whatever_the_address_holds_stays_text() {
        for page in every_page(HOSTILE) {
            assert!(!page.contains("<script"), "{page}");
            assert!(page.contains("&quot;&gt;&lt;script&gt;"), "{page}");
            assert!(!page.contains("alert('"), "{page}");
        }
    }

    #[test]
    fn every_page_has_a_language_a_title_and_one_heading() {
        for page in every_page("Example") {
            assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
            let heading = between(&page, "<h1>", "</h1>");
            assert_eq!(between(&page, "<title>", "</title>"), format!("{heading} · Example"));
            assert_eq!(page.matches("<h1").count(), 1);
            assert!(!page.contains("{{") && !page.contains("{%"), "{page}");
        }
    }

    #[test]
    fn every_outcome_reads_differently_and_leads_on() {
        let mut pages = EVERY_OUTCOME.map(|each| outcome("Example", each, "https://app.example.com"));
        for page in &pages {
            assert!(page.contains("href=\"https:&#x2f;&#x2f;app.example.com\">Go to Example</a>"), "{page}");
        }
        pages.sort();
        assert!(pages.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn an_expired_link_says_how_to_get_a_new_one() {
        let page = outcome("Example", Outcome::Expired, "https://app.example.com");
        assert!(page.contains("To get a new one, request the confirmation email again"), "{page}");
    }
}
