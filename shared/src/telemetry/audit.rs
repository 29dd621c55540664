//! Security events, for the investigation of incidents. Names are stable; no event contains a password, a token, a link or a whole
//! address.

use crate::domain::id::{InvitationId, SessionId, UserId};
use crate::domain::passkey::PasskeyId;

/// The categories of the Elastic Common Schema that events are of.
const AUTHENTICATION: &str = "authentication";
const CONFIGURATION: &str = "configuration";
const EMAIL: &str = "email";
const IAM: &str = "iam";
const NETWORK: &str = "network";

const SUCCESS: &str = "success";
const FAILURE: &str = "failure";

/// One row for an event: its variant with what it carries, then its `event.action`, `event.category` and `event.outcome`.
///
/// What it carries goes into the field of [`Line`] of the same name; `=> field = value` names another, and the value.
macro_rules! events {
    (
        $(#[$meta:meta])*
        pub enum $name:ident<$lifetime:lifetime> { $(
            $(#[$doc:meta])*
            $variant:ident $({ $($carried:ident: $type:ty $(=> $field:ident = $value:expr)?),* })?
            $action:literal $category:ident $outcome:expr;
        )* }
    ) => {
        $(#[$meta])*
        pub enum $name<$lifetime> { $($(#[$doc])* $variant $({ $($carried: $type),* })?,)* }

        impl $name<'_> {
            /// The `event.action` of each.
            pub const ACTIONS: &'static [&'static str] = &[$($action),*];

            fn line(&self) -> Line<'_> {
                match *self { $(
                    Self::$variant $({ $($carried),* })? => {
                        let line = Line { action: $action, category: $category, outcome: $outcome, ..Line::default() };
                        $($(set!(line $carried $(=> $field = $value)?);)*)?
                        line
                    }
                )* }
            }
        }
    };
}

macro_rules! set {
    ($line:ident $field:ident) => { set!($line $field => $field = $field); };
    ($line:ident $carried:ident => $field:ident = $value:expr) => {
        let $line = Line { $field: $value.into(), ..$line };
    };
}

events! {
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Event<'a> {
        UserRegistered { user: UserId } "user_registered" IAM SUCCESS;
        /// A second registration claimed the address of an account before it was confirmed.
        UserContested { user: UserId } "user_contested" IAM SUCCESS;
        /// An account that was never confirmed was erased.
        UserLapsed { user: UserId } "user_lapsed" IAM SUCCESS;
        UserUpdated { user: UserId } "user_updated" IAM SUCCESS;
        UserDeleted { user: UserId, by: UserId } "user_deleted" IAM SUCCESS;
        /// By staff, as those that follow.
        UserCreatedByStaff { user: UserId, by: UserId } "user_created" IAM SUCCESS;
        UserPatched { user: UserId, by: UserId } "user_patched" IAM SUCCESS;
        UserDisabled { user: UserId, by: UserId } "user_disabled" IAM SUCCESS;
        UserEnabled { user: UserId, by: UserId } "user_enabled" IAM SUCCESS;
        /// Every session of the account ended.
        SessionsEndedByStaff { user: UserId, by: UserId } "sessions_ended" AUTHENTICATION SUCCESS;
        SessionEndedByStaff { user: UserId, session: SessionId, by: UserId } "session_ended_by_staff" AUTHENTICATION SUCCESS;
        FactorsRemovedByStaff { user: UserId, by: UserId } "factors_removed" IAM SUCCESS;
        InvitationCreated { invitation: InvitationId, by: UserId } "invitation_created" IAM SUCCESS;
        InvitationSent { invitation: InvitationId, by: UserId } "invitation_sent" IAM SUCCESS;
        InvitationRevoked { invitation: InvitationId, by: UserId } "invitation_revoked" IAM SUCCESS;
        InvitationAccepted { invitation: InvitationId, user: UserId } "invitation_accepted" IAM SUCCESS;
        /// A member of staff impersonates a user for ten minutes.
        UserImpersonated { user: UserId, session: SessionId, by: UserId } "user_impersonated" AUTHENTICATION SUCCESS;
        PasswordResetSent { user: UserId, by: UserId } "password_reset_sent" IAM SUCCESS;
        ConfirmationSent { user: UserId, by: UserId } "confirmation_sent" IAM SUCCESS;

        /// Someone tried to register with an address that is in use.
        AddressTaken "address_taken" IAM FAILURE;
        AddressConfirmed { user: UserId, admin: bool } "address_confirmed" IAM SUCCESS;
        AddressChangeRequested { user: UserId } "address_change_requested" IAM SUCCESS;
        AddressChanged { user: UserId, admin: bool } "address_changed" IAM SUCCESS;
        /// The previous address undid the change; all sessions of the account ended.
        AddressChangeUndone { user: UserId } "address_change_undone" IAM SUCCESS;
        /// An invalid link. `user` is its account, if known.
        LinkRefused { user: Option<UserId>, purpose: &'a str, reason: &'a str } "link_refused" IAM FAILURE;

        LoginSucceeded { user: UserId, session: SessionId } "login_succeeded" AUTHENTICATION SUCCESS;
        /// `user` is `None` when no account has the address.
        LoginFailed { user: Option<UserId>, reason: LoginFailure => reason = reason.as_str() }
            "login_failed" AUTHENTICATION FAILURE;
        /// `user` has the address, if an account does; `device` if one of their devices is locked.
        LoginLocked { user: Option<UserId>, device: bool => reason = if device { "device" } else { "address" } }
            "login_locked" AUTHENTICATION FAILURE;
        /// A sign-in with a new client; the owner is notified.
        NewClient { user: UserId, session: SessionId } "new_client" AUTHENTICATION SUCCESS;

        /// The password was correct; a second factor is required.
        SecondFactorRequired { user: UserId } "second_factor_required" AUTHENTICATION SUCCESS;
        /// A wrong or used code, at a sign-in or a change of the second factor.
        SecondFactorFailed { user: UserId, method: &'a str => reason = method }
            "second_factor_failed" AUTHENTICATION FAILURE;
        /// `device` if one of their devices is locked.
        SecondFactorLocked { user: UserId, device: bool => reason = if device { "device" } else { "account" } }
            "second_factor_locked" AUTHENTICATION FAILURE;
        /// The user of a session authenticated again, with `method`.
        SteppedUp { user: UserId, session: SessionId, method: &'a str => reason = method }
            "stepped_up" AUTHENTICATION SUCCESS;
        /// The password of a step-up was wrong.
        StepUpFailed { user: UserId, session: SessionId } "step_up_failed" AUTHENTICATION FAILURE;

        /// An authenticator app was started and waits for its first code.
        SecondFactorRequested { user: UserId } "second_factor_requested" IAM SUCCESS;
        SecondFactorAdded { user: UserId } "second_factor_added" IAM SUCCESS;
        SecondFactorRemoved { user: UserId, method: &'a str => reason = method } "second_factor_removed" IAM SUCCESS;
        /// The creation of a passkey was requested.
        PasskeyRequested { user: UserId } "passkey_requested" IAM SUCCESS;
        /// A new passkey could not be verified.
        PasskeyRefused { user: UserId, reason: &'a str } "passkey_refused" IAM FAILURE;
        PasskeyAdded { user: UserId, passkey: &'a PasskeyId } "passkey_added" IAM SUCCESS;
        PasskeyRenamed { user: UserId, passkey: &'a PasskeyId } "passkey_renamed" IAM SUCCESS;
        /// `method` proved the second factor for it.
        PasskeyRemoved { user: UserId, passkey: &'a PasskeyId, method: &'a str => reason = method }
            "passkey_removed" IAM SUCCESS;
        /// A passkey's signature counter did not increase: its key may have been copied.
        PasskeyCloned { user: UserId, passkey: &'a PasskeyId } "passkey_cloned" AUTHENTICATION FAILURE;
        RecoveryCodeUsed { user: UserId } "recovery_code_used" AUTHENTICATION SUCCESS;
        RecoveryCodesRenewed { user: UserId } "recovery_codes_renewed" IAM SUCCESS;

        /// A client network has called a route too often; `limit` is the policy's name.
        RateLimited { limit: &'a str => reason = limit } "rate_limited" NETWORK FAILURE;
        /// The counter failed, so the request passed.
        RequestNotCounted { limit: &'a str => reason = limit } "request_not_counted" NETWORK FAILURE;

        SessionRefreshed { user: UserId, session: SessionId } "session_refreshed" AUTHENTICATION SUCCESS;
        /// A refresh token was reused after its interval: it may have been stolen.
        SessionReuseDetected { user: UserId, session: SessionId } "session_reuse_detected" AUTHENTICATION FAILURE;
        LoggedOut { user: UserId, session: SessionId, everywhere: bool } "logged_out" AUTHENTICATION SUCCESS;
        /// One session, by its owner from another or from itself.
        SessionEnded { user: UserId, session: SessionId, by: SessionId => by_session = by }
            "session_ended" AUTHENTICATION SUCCESS;
        /// A service asked whether a token is active; `user` is `None` when it is not.
        TokenIntrospected { client: &'a str => service = client, user: Option<UserId> }
            "token_introspected" AUTHENTICATION if user.is_some() { SUCCESS } else { FAILURE };
        /// An introspection request without valid client credentials.
        IntrospectionRefused "introspection_refused" AUTHENTICATION FAILURE;

        /// Every other session of the account ended with it.
        PasswordChanged { user: UserId, session: SessionId } "password_changed" IAM SUCCESS;
        /// The current password was wrong.
        PasswordChangeFailed { user: UserId, session: SessionId } "password_change_failed" IAM FAILURE;
        /// A password reset was requested, for any address.
        PasswordResetRequested "password_reset_requested" IAM SUCCESS;
        /// Every session of the account ended with it.
        PasswordReset { user: UserId, admin: bool } "password_reset" IAM SUCCESS;

        PictureRequested { user: UserId } "picture_requested" IAM SUCCESS;
        PictureReady { user: UserId } "picture_ready" IAM SUCCESS;
        PictureRejected { user: UserId, reason: &'a str } "picture_rejected" IAM FAILURE;
        PictureDeleted { user: UserId } "picture_deleted" IAM SUCCESS;

        MailSent { kind: &'a str } "mail_sent" EMAIL SUCCESS;
        MailDropped { kind: &'a str, reason: &'a str } "mail_dropped" EMAIL SUCCESS;
        /// A bounce or complaint; `user` has the address, if an account does.
        MailReturned { user: Option<UserId>, reason: &'a str } "mail_returned" EMAIL FAILURE;
        MailFailed { kind: &'a str, reason: &'a str } "mail_failed" EMAIL FAILURE;

        KeyCreated { kid: &'a str => reason = kid } "key_created" CONFIGURATION SUCCESS;
        KeyRetired { kid: &'a str => reason = kid } "key_retired" CONFIGURATION SUCCESS;
        /// Withdrawn because an operator marked it as compromised.
        KeyRevoked { kid: &'a str => reason = kid } "key_revoked" CONFIGURATION SUCCESS;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginFailure {
    UnknownAddress,
    WrongPassword,
    NotConfirmed,
    Disabled,
    /// No account has this passkey.
    UnknownPasskey,
    /// It could not be verified.
    PasskeyRefused,
    /// The challenge was already used, has expired, or never existed.
    UnknownChallenge,
}

impl LoginFailure {
    const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAddress => "unknown_address",
            Self::WrongPassword => "wrong_password",
            Self::NotConfirmed => "not_confirmed",
            Self::Disabled => "disabled",
            Self::UnknownPasskey => "unknown_passkey",
            Self::PasskeyRefused => "passkey_refused",
            Self::UnknownChallenge => "unknown_challenge",
        }
    }
}

/// The log fields of an event.
#[derive(Default)]
struct Line<'a> {
    action: &'static str,
    category: &'static str,
    outcome: &'static str,
    user: Option<UserId>,
    session: Option<SessionId>,
    by: Option<UserId>,
    by_session: Option<SessionId>,
    passkey: Option<&'a PasskeyId>,
    invitation: Option<InvitationId>,
    service: Option<&'a str>,
    reason: Option<&'a str>,
    kind: Option<&'a str>,
    purpose: Option<&'a str>,
    admin: Option<bool>,
    everywhere: Option<bool>,
}

impl Event<'_> {
    /// Writes the event to the log, with the fields of the request around it.
    pub fn record(&self) {
        let line = self.line();
        let action = line.action;
        tracing::info!(
            "event.kind" = "event",
            "event.action" = action,
            "event.category" = line.category,
            "event.outcome" = line.outcome,
            "event.reason" = line.reason,
            "mail.kind" = line.kind,
            "link.purpose" = line.purpose,
            "user.id" = line.user.map(tracing::field::display),
            "session.id" = line.session.map(tracing::field::display),
            "user.changes.by" = line.by.map(tracing::field::display),
            "session.by" = line.by_session.map(tracing::field::display),
            "invitation.id" = line.invitation.map(tracing::field::display),
            "passkey.id" = line.passkey.map(tracing::field::display),
            "service.origin.name" = line.service,
            "user.admin" = line.admin,
            "session.everywhere" = line.everywhere,
            "{action}"
        );
    }
}
