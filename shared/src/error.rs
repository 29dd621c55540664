//! Everything that can go wrong, as the caller sees it. One enum, one table of public codes; causes stay inside.

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed request. `Display` is the `detail` of the answer, so it never holds a cause or a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{detail}")]
    InvalidRequest { detail: String, errors: Vec<FieldError> },
    #[error("The body is larger than this route takes.")]
    PayloadTooLarge,
    #[error("Send the body as {0}.")]
    UnsupportedMediaType(&'static str),
    #[error("There is nothing at this path.")]
    NotFound,
    #[error("This path does not take this method.")]
    MethodNotAllowed { allow: String },
    #[error("The email address or the password is wrong.")]
    InvalidCredentials,
    #[error("Confirm your email address first: open the link in the mail we sent, or ask for a new one.")]
    EmailNotConfirmed,
    #[error("This account is disabled.")]
    AccountDisabled,
    #[error("There were too many failed attempts. Wait before the next one.")]
    TooManyAttempts { retry_after: Duration },
    #[error("There were too many requests from your network. Wait before the next one.")]
    RateLimited { retry_after: Duration },
    #[error("Sign in: this route needs an access token as a Bearer credential.")]
    Unauthenticated,
    #[error("The access token is not valid, has expired, or its session is over.")]
    InvalidToken,
    #[error(
        "Step up or sign in again: this route needs a proof of who you are, with the second factor where the account has one, \
         from the last {} minutes.",
        max_age.as_secs() / 60
    )]
    ReauthenticationRequired { max_age: Duration },
    #[error("The refresh token is not valid, has expired, or its session is over.")]
    InvalidRefreshToken,
    #[error("This challenge has expired, was answered, or had too many wrong answers. Begin again.")]
    InvalidChallenge,
    #[error("The code is wrong, has expired, or was used before.")]
    InvalidCode,
    #[error("There is no authenticator app here to confirm or to remove.")]
    TotpNotFound,
    #[error("There is an authenticator app already. Remove it before you add another.")]
    TotpAlreadyEnrolled,
    #[error("There is no such passkey of yours.")]
    PasskeyNotFound,
    #[error("This passkey is there already.")]
    PasskeyAlreadyAdded,
    #[error("There are as many passkeys as an account can have. Remove one before you add another.")]
    TooManyPasskeys,
    #[error("The passkey could not be verified, or is not one of an account that may sign in.")]
    InvalidPasskey,
    #[error("This account has a second factor: prove it.")]
    SecondFactorNeeded,
    #[error("Your account may not do this.")]
    Forbidden,
    #[error("There is no such user.")]
    UserNotFound,
    #[error("There is no such session of yours.")]
    SessionNotFound,
    #[error("This route needs the id and the secret of a service that may ask it, as Basic credentials.")]
    InvalidClient,
    #[error("This link is not one of ours.")]
    LinkInvalid,
    #[error("This link has expired. Ask for a new one.")]
    LinkExpired,
    #[error("This link was used before, or what happened since took its place.")]
    LinkUsed,
    #[error("The current password is wrong.")]
    WrongPassword,
    #[error("Another account has this address.")]
    AddressTaken,
    /// Nothing is broken, and as a rule nothing was done: too much happens at once to what this request is about.
    #[error("Too much happens at once. Try again in a moment.")]
    TemporarilyUnavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// All or nothing was written, and which of the two cannot be told in the time there is.
    #[error("Whether this was done is not known yet. Send the request again: nothing is done twice.")]
    OutcomeUnknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("Something went wrong on our side. Quote the request id when you report it.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A field of the request that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Name of the field, a path with dots where it is nested.
    #[schema(example = "email")]
    pub field: String,
    /// Stable, for programs.
    #[schema(example = "invalid_email")]
    pub code: &'static str,
    /// A sentence, for people.
    #[schema(example = "This is not a valid email address.")]
    pub detail: String,
}

macro_rules! codes {
    ($($variant:ident $text:literal $status:ident $title:literal)*) => {
        /// The public, stable codes of all errors: `code` of the problem answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($variant),* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

codes! {
    InvalidRequest           "invalid_request"           BAD_REQUEST            "The request is not valid"
    LinkInvalid              "link_invalid"              BAD_REQUEST            "The link is not valid"
    InvalidCredentials       "invalid_credentials"       UNAUTHORIZED           "The credentials are wrong"
    Unauthenticated          "unauthenticated"           UNAUTHORIZED           "Not signed in"
    InvalidToken             "invalid_token"             UNAUTHORIZED           "The access token is not valid"
    ReauthenticationRequired "reauthentication_required" UNAUTHORIZED           "A recent sign-in is needed"
    InvalidRefreshToken      "invalid_refresh_token"     UNAUTHORIZED           "The refresh token is not valid"
    InvalidClient            "invalid_client"            UNAUTHORIZED           "The service's credentials are wrong"
    InvalidChallenge         "invalid_challenge"         UNAUTHORIZED           "The sign-in cannot go on"
    InvalidCode              "invalid_code"              FORBIDDEN              "The code is not valid"
    InvalidPasskey           "invalid_passkey"           FORBIDDEN              "The passkey is not valid"
    SecondFactorNeeded       "second_factor_needed"      FORBIDDEN              "The second factor has to be proved"
    EmailNotConfirmed        "email_not_confirmed"       FORBIDDEN              "The email address is not confirmed"
    WrongPassword            "wrong_password"            FORBIDDEN              "The password is wrong"
    AccountDisabled          "account_disabled"          FORBIDDEN              "The account is disabled"
    Forbidden                "forbidden"                 FORBIDDEN              "Not allowed"
    NotFound                 "not_found"                 NOT_FOUND              "Not found"
    UserNotFound             "user_not_found"            NOT_FOUND              "No such user"
    SessionNotFound          "session_not_found"         NOT_FOUND              "No such session"
    TotpNotFound             "totp_not_found"            NOT_FOUND              "No authenticator app"
    PasskeyNotFound          "passkey_not_found"         NOT_FOUND              "No such passkey"
    MethodNotAllowed         "method_not_allowed"        METHOD_NOT_ALLOWED     "Method not allowed"
    AddressTaken             "address_taken"             CONFLICT               "The address is taken"
    TotpAlreadyEnrolled      "totp_already_enrolled"     CONFLICT               "An authenticator app is enrolled"
    PasskeyAlreadyAdded      "passkey_already_added"     CONFLICT               "The passkey is there already"
    TooManyPasskeys          "too_many_passkeys"         CONFLICT               "There are too many passkeys"
    LinkExpired              "link_expired"              GONE                   "The link has expired"
    LinkUsed                 "link_used"                 GONE                   "The link was used"
    PayloadTooLarge          "payload_too_large"         PAYLOAD_TOO_LARGE      "The body is too large"
    UnsupportedMediaType     "unsupported_media_type"    UNSUPPORTED_MEDIA_TYPE "The content type is not supported"
    HeadersTooLarge          "headers_too_large"         REQUEST_HEADER_FIELDS_TOO_LARGE "The headers are too large"
    TooManyAttempts          "too_many_attempts"         TOO_MANY_REQUESTS      "Too many attempts"
    RateLimited              "rate_limited"              TOO_MANY_REQUESTS      "Too many requests"
    InternalError            "internal_error"            INTERNAL_SERVER_ERROR  "Internal error"
    TemporarilyUnavailable   "temporarily_unavailable"   SERVICE_UNAVAILABLE    "Temporarily unavailable"
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    /// A request that is wrong as a whole rather than in a field.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::InvalidRequest { detail: detail.into(), errors: Vec::new() }
    }

    /// A request with one or more fields that cannot be taken.
    #[must_use]
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self::InvalidRequest { detail: String::from("Some fields cannot be taken; see `errors`."), errors }
    }

    /// A failure that is ours; `cause` is logged, never answered.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::InvalidRequest { .. } => Code::InvalidRequest,
            Self::PayloadTooLarge => Code::PayloadTooLarge,
            Self::UnsupportedMediaType(_) => Code::UnsupportedMediaType,
            Self::NotFound => Code::NotFound,
            Self::MethodNotAllowed { .. } => Code::MethodNotAllowed,
            Self::InvalidCredentials => Code::InvalidCredentials,
            Self::EmailNotConfirmed => Code::EmailNotConfirmed,
            Self::AccountDisabled => Code::AccountDisabled,
            Self::TooManyAttempts { .. } => Code::TooManyAttempts,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::InvalidToken => Code::InvalidToken,
            Self::ReauthenticationRequired { .. } => Code::ReauthenticationRequired,
            Self::InvalidRefreshToken => Code::InvalidRefreshToken,
            Self::InvalidChallenge => Code::InvalidChallenge,
            Self::InvalidCode => Code::InvalidCode,
            Self::TotpNotFound => Code::TotpNotFound,
            Self::TotpAlreadyEnrolled => Code::TotpAlreadyEnrolled,
            Self::PasskeyNotFound => Code::PasskeyNotFound,
            Self::PasskeyAlreadyAdded => Code::PasskeyAlreadyAdded,
            Self::TooManyPasskeys => Code::TooManyPasskeys,
            Self::InvalidPasskey => Code::InvalidPasskey,
            Self::SecondFactorNeeded => Code::SecondFactorNeeded,
            Self::Forbidden => Code::Forbidden,
            Self::UserNotFound => Code::UserNotFound,
            Self::SessionNotFound => Code::SessionNotFound,
            Self::InvalidClient => Code::InvalidClient,
            Self::LinkInvalid => Code::LinkInvalid,
            Self::LinkExpired => Code::LinkExpired,
            Self::LinkUsed => Code::LinkUsed,
            Self::WrongPassword => Code::WrongPassword,
            Self::AddressTaken => Code::AddressTaken,
            Self::Internal(_) => Code::InternalError,
            Self::TemporarilyUnavailable(_) | Self::OutcomeUnknown(_) => Code::TemporarilyUnavailable,
        }
    }
}

/// An error with everything that caused it, on one line.
pub struct Causes<'a>(pub &'a (dyn std::error::Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_as_it_is_serialised_and_stands_once() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert!(seen.insert(code.as_str()), "{code} stands twice");
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn a_write_whose_outcome_is_unknown_is_not_said_to_have_changed_nothing() {
        let (unknown, refused) = (Error::OutcomeUnknown("lost".into()), Error::TemporarilyUnavailable("busy".into()));
        assert_eq!((unknown.code(), refused.code()), (Code::TemporarilyUnavailable, Code::TemporarilyUnavailable));
        assert!(unknown.to_string().contains("not known") && unknown.to_string().contains("again"), "{unknown}");
        assert_ne!(unknown.to_string(), refused.to_string());
    }

    #[test]
    fn an_internal_error_tells_nothing_of_its_cause() {
        let error = Error::internal("table users-prod is on fire");
        assert!(!error.to_string().contains("users-prod"));
    }
}
