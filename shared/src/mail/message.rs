//! The emails that are sent, one row each.

use std::fmt;

use serde::Serialize;

use crate::domain::mail::FactorChange;
use crate::domain::user::FactorSummary;

/// The button of an email, which leads to a link.
#[derive(Clone, Copy)]
pub(super) enum Button {
    Confirm,
    SignIn,
    ChoosePassword,
    Undo,
    Accept,
}

/// The values that the texts of an email may use. Absent ones stay undefined, so a text that prints them fails.
#[derive(Default, Serialize)]
pub(super) struct Words<'a> {
    pub product: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// How long the link is valid: exactly one of the three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignInWords<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookWords<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staff: Option<StaffWords<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
    /// Whether the factor is the first, or was the last, second factor of the account.
    pub alone: bool,
    /// The second factors that the account has, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factors: Option<FactorSummary>,
    #[serde(skip)]
    pub button: Option<(Button, &'a str)>,
}

#[derive(Serialize)]
pub(super) struct SignInWords<'a> {
    client: &'a str,
    at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct StaffWords<'a> {
    at: &'a str,
    write: bool,
}

#[derive(Serialize)]
pub(super) struct WebhookWords<'a> {
    host: &'a str,
    since: &'a str,
}

/// One row per email: its variant with its parameters, the key of its texts, and the values these may use.
macro_rules! messages {
    (
        $(#[$meta:meta])*
        pub enum $enum:ident<$lifetime:lifetime> { $(
            $(#[$doc:meta])*
            $variant:ident { $($field:ident: $type:ty),* } $key:expr => $words:expr;
        )* }
    ) => {
        $(#[$meta])*
        pub enum $enum<$lifetime> { $($(#[$doc])* $variant { $($field: $type),* },)* }

        impl<$lifetime> $enum<$lifetime> {
            /// The key of its texts, and the values these may use.
            pub(super) fn parts(&self) -> (&'static str, Words<$lifetime>) {
                match *self { $(Self::$variant { $($field),* } => ($key, $words),)* }
            }
        }
    };
}

messages! {
    /// An email to one person. `name` is the name of that person's account, even if someone else's attempt under another name
    /// caused the email.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum Message<'a> {
        ConfirmAddress { name: &'a str, link: &'a str, valid_hours: u32 }
            "confirm_address" => Words::to(name).with(Button::Confirm, link).hours(valid_hours);
        /// Someone tried to register with an address that has an account.
        AlreadyRegistered { name: &'a str, sign_in: &'a str }
            "already_registered" => Words::to(name).with(Button::SignIn, sign_in);
        /// The same for an account that is not confirmed yet: the recipient chooses a password, whichever of the two registered
        /// first.
        AlreadyRegisteredUnconfirmed { name: &'a str, link: &'a str, valid_minutes: u32 }
            "already_registered_unconfirmed" => Words::to(name).with(Button::ChoosePassword, link).minutes(valid_minutes);
        /// For an account that becomes usable only by a password chosen through this link. Without a name: the owner is unknown.
        ChoosePassword { link: &'a str, valid_minutes: u32 }
            "choose_password" => Words::default().with(Button::ChoosePassword, link).minutes(valid_minutes);
        /// A sign-in with a fingerprint that is new to the account. `client` is our description, `at` is RFC 3339 in UTC.
        NewSignIn { name: &'a str, client: &'a str, source_ip: Option<&'a str>, at: &'a str }
            "new_sign_in" => Words { sign_in: Some(SignInWords { client, at, from: source_ip }), ..Words::to(name) };
        AccountDeleted { name: &'a str }
            "account_deleted" => Words::to(name);
        /// Someone requested a password reset.
        ResetPassword { name: &'a str, link: &'a str, valid_minutes: u32 }
            "reset_password" => Words::to(name).with(Button::ChoosePassword, link).minutes(valid_minutes);
        PasswordChanged { name: &'a str, factors: FactorSummary }
            "password_changed" => Words { factors: (!factors.is_empty()).then_some(factors), ..Words::to(name) };
        /// To the new address of an account, before it is confirmed.
        ChangeAddress { name: &'a str, link: &'a str, valid_hours: u32 }
            "change_address" => Words::to(name).with(Button::Confirm, link).hours(valid_hours);
        /// To the previous address of an account.
        AddressChanged { name: &'a str, link: &'a str, valid_days: u32 }
            "address_changed" => Words::to(name).with(Button::Undo, link).days(valid_days);
        /// The same after a change back to a previous address, which cannot be undone.
        AddressChangedBack { name: &'a str }
            "address_changed_back" => Words::to(name);
        /// To the previous address of an account after staff changed it.
        AddressChangedByStaff { name: &'a str }
            "address_changed_by_staff" => Words::to(name);
        /// `at` is RFC 3339 in UTC.
        Impersonated { name: &'a str, at: &'a str, write: bool }
            "impersonated" => Words { staff: Some(StaffWords { at, write }), ..Words::to(name) };
        /// Without a name, so that it fits whether or not an account has the address.
        Invitation { link: &'a str, valid_days: u32 }
            "invitation" => Words::default().with(Button::Accept, link).days(valid_days);
        /// To a person for whom staff created an account.
        AccountCreated { name: &'a str, link: &'a str, valid_days: u32 }
            "account_created" => Words::to(name).with(Button::ChoosePassword, link).days(valid_days);
        /// To the restored address of an account.
        AddressRestored { name: &'a str, link: &'a str, valid_minutes: u32 }
            "address_restored" => Words::to(name).with(Button::ChoosePassword, link).minutes(valid_minutes);
        /// To an administrator. `since` is RFC 3339 in UTC.
        WebhookDisabled { host: &'a str, since: &'a str }
            "webhook_disabled" => Words { webhook: Some(WebhookWords { host, since }), ..Words::default() };
        SecondFactorChanged { name: &'a str, change: FactorChange }
            change.name() => Words::to(name).about(change);
    }
}

/// Prints only the key of its texts: links are secrets, names are personal data.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message").field(&self.parts().0).finish()
    }
}

impl<'a> Words<'a> {
    fn to(name: &'a str) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    fn with(self, button: Button, link: &'a str) -> Self {
        Self { button: Some((button, link)), ..self }
    }

    fn minutes(self, minutes: u32) -> Self {
        Self { minutes: Some(minutes), ..self }
    }

    fn hours(self, hours: u32) -> Self {
        Self { hours: Some(hours), ..self }
    }

    fn days(self, days: u32) -> Self {
        Self { days: Some(days), ..self }
    }

    fn about(self, change: FactorChange) -> Self {
        match change {
            FactorChange::RecoveryCodeUsed(left) => Self { left: Some(left), ..self },
            FactorChange::Added => Self { alone: true, ..self },
            FactorChange::Removed { last: alone }
            | FactorChange::PasskeyAdded { first: alone }
            | FactorChange::PasskeyRemoved { last: alone } => Self { alone, ..self },
            FactorChange::AddedBeside | FactorChange::RecoveryCodesRenewed | FactorChange::RecoveryCodesRemoved => self,
        }
    }
}
