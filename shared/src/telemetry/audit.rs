//! Security events: what a person who looks into an incident searches for. Names are stable; no event holds a
//! password, a token, a link or a whole address.

use crate::domain::id::{SessionId, UserId};
use crate::domain::passkey::PasskeyId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    UserRegistered {
        user: UserId,
    },
    /// Somebody tried to register with an address that an account has.
    AddressTaken,
    AddressConfirmed {
        user: UserId,
        admin: bool,
    },
    LoginSucceeded {
        user: UserId,
        session: SessionId,
    },
    /// `user` is `None` when no account has the address.
    LoginFailed {
        user: Option<UserId>,
        reason: LoginFailure,
    },
    /// `user` has the address, if an account does; `device` when it is a device of theirs that is locked.
    LoginLocked {
        user: Option<UserId>,
        device: bool,
    },
    /// The password was right; a code has to follow.
    SecondFactorRequired {
        user: UserId,
    },
    /// A wrong or used code, at a sign-in or a change of the second factor.
    SecondFactorFailed {
        user: UserId,
        method: &'a str,
    },
    /// `device` when it is a device of theirs that is locked.
    SecondFactorLocked {
        user: UserId,
        device: bool,
    },
    /// The user of a session proved again who they are; `method` is what they proved it with.
    SteppedUp {
        user: UserId,
        session: SessionId,
        method: &'a str,
    },
    /// The password of a step-up was wrong.
    StepUpFailed {
        user: UserId,
        session: SessionId,
    },
    /// An authenticator app waits for its first code.
    SecondFactorRequested {
        user: UserId,
    },
    SecondFactorAdded {
        user: UserId,
    },
    SecondFactorRemoved {
        user: UserId,
        method: &'a str,
    },
    /// An authenticator was asked to make a passkey.
    PasskeyRequested {
        user: UserId,
    },
    /// What an authenticator made could not be verified.
    PasskeyRefused {
        user: UserId,
        reason: &'a str,
    },
    PasskeyAdded {
        user: UserId,
        passkey: &'a PasskeyId,
    },
    PasskeyRenamed {
        user: UserId,
        passkey: &'a PasskeyId,
    },
    /// `method` proved the second factor for it.
    PasskeyRemoved {
        user: UserId,
        passkey: &'a PasskeyId,
        method: &'a str,
    },
    /// A passkey's count of signatures did not rise: there may be a copy of its key.
    PasskeyCloned {
        user: UserId,
        passkey: &'a PasskeyId,
    },
    RecoveryCodeUsed {
        user: UserId,
    },
    RecoveryCodesRenewed {
        user: UserId,
    },
    /// An origin has called a route too often; `limit` is the policy's name.
    RateLimited {
        limit: &'a str,
    },
    /// The counter failed, so the request passed.
    RequestNotCounted {
        limit: &'a str,
    },
    SessionRefreshed {
        user: UserId,
        session: SessionId,
    },
    /// A refresh token was used again after its time: somebody has a token that they should not have.
    SessionReuseDetected {
        user: UserId,
        session: SessionId,
    },
    LoggedOut {
        user: UserId,
        session: SessionId,
        everywhere: bool,
    },
    /// Every other session of the account ended with it.
    PasswordChanged {
        user: UserId,
        session: SessionId,
    },
    /// The current password was wrong.
    PasswordChangeFailed {
        user: UserId,
        session: SessionId,
    },
    /// Somebody asked for a link to choose a new password, for whatever address.
    PasswordResetRequested,
    /// Every session of the account ended with it.
    PasswordReset {
        user: UserId,
        admin: bool,
    },
    /// A second registration claimed the address of an account before it was confirmed.
    UserContested {
        user: UserId,
    },
    /// An account that was never confirmed was erased.
    UserLapsed {
        user: UserId,
    },
    AddressChangeRequested {
        user: UserId,
    },
    AddressChanged {
        user: UserId,
        admin: bool,
    },
    /// The old address took the change back; every session of the account ended with it.
    AddressChangeUndone {
        user: UserId,
    },
    /// A link that is not one of ours for this, or no longer. `user` is whom it leads to, if anybody.
    LinkRefused {
        user: Option<UserId>,
        purpose: &'a str,
        reason: &'a str,
    },
    /// One session, by its owner from another or from itself.
    SessionEnded {
        user: UserId,
        session: SessionId,
        by: SessionId,
    },
    /// A sign-in with a client that the account had not seen; its owner is told.
    NewClient {
        user: UserId,
        session: SessionId,
    },
    /// A service asked whether a token stands; `user` is `None` when it does not.
    TokenIntrospected {
        client: &'a str,
        user: Option<UserId>,
    },
    /// Somebody without the credentials of a service asked about a token.
    IntrospectionRefused,
    UserUpdated {
        user: UserId,
    },
    UserDeleted {
        user: UserId,
        by: UserId,
    },
    PictureRequested {
        user: UserId,
    },
    PictureReady {
        user: UserId,
    },
    PictureRejected {
        user: UserId,
        reason: &'a str,
    },
    PictureDeleted {
        user: UserId,
    },
    MailSent {
        kind: &'a str,
    },
    MailDropped {
        kind: &'a str,
        reason: &'a str,
    },
    MailFailed {
        kind: &'a str,
        reason: &'a str,
    },
    KeyCreated {
        kid: &'a str,
    },
    KeyRetired {
        kid: &'a str,
    },
    /// Withdrawn because an operator said that it is compromised.
    KeyRevoked {
        kid: &'a str,
    },
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
    /// Nothing was asked that it could answer: it was answered before, has expired, or never was.
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

/// ECS `event.category` of an event.
#[derive(Clone, Copy)]
enum Category {
    Authentication,
    Iam,
    Email,
    Configuration,
    Network,
}

#[derive(Default)]
struct Details<'a> {
    user: Option<UserId>,
    session: Option<SessionId>,
    by: Option<UserId>,
    by_session: Option<SessionId>,
    passkey: Option<&'a PasskeyId>,
    service: Option<&'a str>,
    reason: Option<&'a str>,
    kind: Option<&'a str>,
    purpose: Option<&'a str>,
    admin: Option<bool>,
    everywhere: Option<bool>,
    failure: bool,
}

impl Event<'_> {
    /// Writes the event to the log, with the fields of the request around it.
    pub fn record(&self) {
        let (action, category, details) = self.describe();
        let category = match category {
            Category::Authentication => "authentication",
            Category::Iam => "iam",
            Category::Email => "email",
            Category::Configuration => "configuration",
            Category::Network => "network",
        };
        tracing::info!(
            "event.kind" = "event",
            "event.action" = action,
            "event.category" = category,
            "event.outcome" = if details.failure { "failure" } else { "success" },
            "event.reason" = details.reason,
            "mail.kind" = details.kind,
            "link.purpose" = details.purpose,
            "user.id" = details.user.map(tracing::field::display),
            "session.id" = details.session.map(tracing::field::display),
            "user.changes.by" = details.by.map(tracing::field::display),
            "session.by" = details.by_session.map(tracing::field::display),
            "passkey.id" = details.passkey.map(tracing::field::display),
            "service.origin.name" = details.service,
            "user.admin" = details.admin,
            "session.everywhere" = details.everywhere,
            "{action}"
        );
    }

    #[allow(clippy::too_many_lines, reason = "a table")]
    fn describe(&self) -> (&'static str, Category, Details<'_>) {
        use Category::{Authentication, Configuration, Email, Iam, Network};
        let of = |user: UserId| Details { user: Some(user), ..Details::default() };
        let in_session = |user: UserId, session| Details { session: Some(session), ..of(user) };
        let of_passkey = |user: UserId, passkey| Details { passkey: Some(passkey), ..of(user) };
        let of_kind = |kind| Details { kind: Some(kind), ..Details::default() };
        let because = |reason| Details { reason: Some(reason), ..Details::default() };
        match *self {
            Self::UserRegistered { user } => ("user_registered", Iam, of(user)),
            Self::AddressTaken => ("address_taken", Iam, Details { failure: true, ..Details::default() }),
            Self::AddressConfirmed { user, admin } => {
                ("address_confirmed", Iam, Details { admin: Some(admin), ..of(user) })
            }
            Self::LoginSucceeded { user, session } => ("login_succeeded", Authentication, in_session(user, session)),
            Self::LoginFailed { user, reason } => {
                ("login_failed", Authentication, Details { user, failure: true, ..because(reason.as_str()) })
            }
            Self::LoginLocked { user, device } => {
                let reason = if device { "device" } else { "address" };
                ("login_locked", Authentication, Details { user, failure: true, ..because(reason) })
            }
            Self::SecondFactorRequired { user } => ("second_factor_required", Authentication, of(user)),
            Self::SecondFactorFailed { user, method } => {
                let details = Details { user: Some(user), failure: true, ..because(method) };
                ("second_factor_failed", Authentication, details)
            }
            Self::SecondFactorLocked { user, device } => {
                let reason = if device { "device" } else { "account" };
                let details = Details { user: Some(user), failure: true, ..because(reason) };
                ("second_factor_locked", Authentication, details)
            }
            Self::SteppedUp { user, session, method } => {
                ("stepped_up", Authentication, Details { reason: Some(method), ..in_session(user, session) })
            }
            Self::StepUpFailed { user, session } => {
                ("step_up_failed", Authentication, Details { failure: true, ..in_session(user, session) })
            }
            Self::SecondFactorRequested { user } => ("second_factor_requested", Iam, of(user)),
            Self::SecondFactorAdded { user } => ("second_factor_added", Iam, of(user)),
            Self::SecondFactorRemoved { user, method } => {
                ("second_factor_removed", Iam, Details { user: Some(user), ..because(method) })
            }
            Self::PasskeyRequested { user } => ("passkey_requested", Iam, of(user)),
            Self::PasskeyRefused { user, reason } => {
                ("passkey_refused", Iam, Details { user: Some(user), failure: true, ..because(reason) })
            }
            Self::PasskeyAdded { user, passkey } => ("passkey_added", Iam, of_passkey(user, passkey)),
            Self::PasskeyRenamed { user, passkey } => ("passkey_renamed", Iam, of_passkey(user, passkey)),
            Self::PasskeyRemoved { user, passkey, method } => {
                ("passkey_removed", Iam, Details { reason: Some(method), ..of_passkey(user, passkey) })
            }
            Self::PasskeyCloned { user, passkey } => {
                ("passkey_cloned", Authentication, Details { failure: true, ..of_passkey(user, passkey) })
            }
            Self::RecoveryCodeUsed { user } => ("recovery_code_used", Authentication, of(user)),
            Self::RecoveryCodesRenewed { user } => ("recovery_codes_renewed", Iam, of(user)),
            Self::RateLimited { limit } => ("rate_limited", Network, Details { failure: true, ..because(limit) }),
            Self::RequestNotCounted { limit } => {
                ("request_not_counted", Network, Details { failure: true, ..because(limit) })
            }
            Self::SessionRefreshed { user, session } => {
                ("session_refreshed", Authentication, in_session(user, session))
            }
            Self::SessionReuseDetected { user, session } => {
                ("session_reuse_detected", Authentication, Details { failure: true, ..in_session(user, session) })
            }
            Self::LoggedOut { user, session, everywhere } => {
                ("logged_out", Authentication, Details { everywhere: Some(everywhere), ..in_session(user, session) })
            }
            Self::PasswordChanged { user, session } => ("password_changed", Iam, in_session(user, session)),
            Self::PasswordChangeFailed { user, session } => {
                ("password_change_failed", Iam, Details { failure: true, ..in_session(user, session) })
            }
            Self::PasswordResetRequested => ("password_reset_requested", Iam, Details::default()),
            Self::PasswordReset { user, admin } => ("password_reset", Iam, Details { admin: Some(admin), ..of(user) }),
            Self::UserContested { user } => ("user_contested", Iam, of(user)),
            Self::UserLapsed { user } => ("user_lapsed", Iam, of(user)),
            Self::AddressChangeRequested { user } => ("address_change_requested", Iam, of(user)),
            Self::AddressChanged { user, admin } => {
                ("address_changed", Iam, Details { admin: Some(admin), ..of(user) })
            }
            Self::AddressChangeUndone { user } => ("address_change_undone", Iam, of(user)),
            Self::LinkRefused { user, purpose, reason } => {
                ("link_refused", Iam, Details { user, purpose: Some(purpose), failure: true, ..because(reason) })
            }
            Self::SessionEnded { user, session, by } => {
                ("session_ended", Authentication, Details { by_session: Some(by), ..in_session(user, session) })
            }
            Self::NewClient { user, session } => ("new_client", Authentication, in_session(user, session)),
            Self::TokenIntrospected { client, user } => {
                let details = Details { user, service: Some(client), failure: user.is_none(), ..Details::default() };
                ("token_introspected", Authentication, details)
            }
            Self::IntrospectionRefused => {
                ("introspection_refused", Authentication, Details { failure: true, ..Details::default() })
            }
            Self::UserUpdated { user } => ("user_updated", Iam, of(user)),
            Self::UserDeleted { user, by } => ("user_deleted", Iam, Details { by: Some(by), ..of(user) }),
            Self::PictureRequested { user } => ("picture_requested", Iam, of(user)),
            Self::PictureReady { user } => ("picture_ready", Iam, of(user)),
            Self::PictureRejected { user, reason } => {
                ("picture_rejected", Iam, Details { failure: true, reason: Some(reason), ..of(user) })
            }
            Self::PictureDeleted { user } => ("picture_deleted", Iam, of(user)),
            Self::MailSent { kind } => ("mail_sent", Email, of_kind(kind)),
            Self::MailDropped { kind, reason } => {
                ("mail_dropped", Email, Details { kind: Some(kind), ..because(reason) })
            }
            Self::MailFailed { kind, reason } => {
                ("mail_failed", Email, Details { kind: Some(kind), failure: true, ..because(reason) })
            }
            Self::KeyCreated { kid } => ("key_created", Configuration, because(kid)),
            Self::KeyRetired { kid } => ("key_retired", Configuration, because(kid)),
            Self::KeyRevoked { kid } => ("key_revoked", Configuration, because(kid)),
        }
    }
}
