//! Everything that can go wrong, as the caller sees it. One enum, one table of public codes; causes stay inside.

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error of ours was caused by: it is logged, never answered.
type Cause = Box<dyn std::error::Error + Send + Sync>;

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

/// One row for an error: its variant and what that carries, the public code, the status, the title, and the sentence that
/// tells the caller what is wrong. The second block has further errors of a code, the third codes that no error of a route has.
macro_rules! errors {
    (
        { $(
            $variant:ident $(($($inner:tt)*))? $({ $($field:ident: $type:ty),* })?
            => $code:tt $status:ident $title:literal $message:literal $(($argument:expr))?;
        )* }
        { $($other:ident($($other_inner:tt)*) $of:ident $other_message:literal;)* }
        { $($only:ident => $only_code:tt $only_status:ident $only_title:literal;)* }
    ) => {
        /// A failed request. `Display` is the `detail` of the answer, so it never holds a cause or a secret.
        #[derive(Debug, thiserror::Error)]
        pub enum Error {
            $(#[error($message $(, $argument)?)] $variant $(($($inner)*))? $({ $($field: $type),* })?,)*
            $(#[error($other_message)] $other($($other_inner)*),)*
        }

        impl Error {
            #[must_use]
            pub const fn code(&self) -> Code {
                match self {
                    $(Self::$variant { .. } => Code::$variant,)*
                    $(Self::$other { .. } => Code::$of,)*
                }
            }
        }

        /// The public, stable codes of all errors: `code` of the problem answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
        pub enum Code {
            $(#[serde(rename = $code)] $variant,)*
            $(#[serde(rename = $only_code)] $only,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant,)* $(Self::$only,)*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* $(Self::$only => $only_code,)* }
            }

            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* $(Self::$only => StatusCode::$only_status,)* }
            }

            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* $(Self::$only => $only_title,)* }
            }
        }
    };
}

errors! {
    {
        InvalidRequest { detail: String, errors: Vec<FieldError> }
            => "invalid_request" BAD_REQUEST "The request is not valid"
            "{detail}";
        LinkInvalid
            => "link_invalid" BAD_REQUEST "The link is not valid"
            "This link is not one of ours.";
        InvalidCredentials
            => "invalid_credentials" UNAUTHORIZED "The credentials are wrong"
            "The email address or the password is wrong.";
        Unauthenticated
            => "unauthenticated" UNAUTHORIZED "Not signed in"
            "Sign in: this route needs an access token as a Bearer credential.";
        InvalidToken
            => "invalid_token" UNAUTHORIZED "The access token is not valid"
            "The access token is not valid, has expired, or its session is over.";
        ReauthenticationRequired { max_age: Duration }
            => "reauthentication_required" UNAUTHORIZED "A recent sign-in is needed"
            "Step up or sign in again: this route needs a proof of who you are, with the second factor where the account has one, \
             from the last {} minutes." (max_age.as_secs() / 60);
        InvalidRefreshToken
            => "invalid_refresh_token" UNAUTHORIZED "The refresh token is not valid"
            "The refresh token is not valid, has expired, or its session is over.";
        InvalidClient
            => "invalid_client" UNAUTHORIZED "The service's credentials are wrong"
            "This route needs the id and the secret of a service that may ask it, as Basic credentials.";
        InvalidChallenge
            => "invalid_challenge" UNAUTHORIZED "The sign-in cannot go on"
            "This challenge has expired, was answered, or had too many wrong answers. Begin again.";
        InvalidCode
            => "invalid_code" FORBIDDEN "The code is not valid"
            "The code is wrong, has expired, or was used before.";
        InvalidPasskey
            => "invalid_passkey" FORBIDDEN "The passkey is not valid"
            "The passkey could not be verified, or is not one of an account that may sign in.";
        SecondFactorNeeded
            => "second_factor_needed" FORBIDDEN "The second factor has to be proved"
            "This account has a second factor: prove it.";
        EmailNotConfirmed
            => "email_not_confirmed" FORBIDDEN "The email address is not confirmed"
            "Confirm your email address first: open the link in the mail we sent, or ask for a new one.";
        WrongPassword
            => "wrong_password" FORBIDDEN "The password is wrong"
            "The current password is wrong.";
        AccountDisabled
            => "account_disabled" FORBIDDEN "The account is disabled"
            "This account is disabled.";
        Forbidden
            => "forbidden" FORBIDDEN "Not allowed"
            "Your account may not do this.";
        Impersonating
            => "impersonating" FORBIDDEN "Not as somebody else"
            "This cannot be done while you act as another user.";
        NotFound
            => "not_found" NOT_FOUND "Not found"
            "There is nothing at this path.";
        UserNotFound
            => "user_not_found" NOT_FOUND "No such user"
            "There is no such user.";
        SessionNotFound
            => "session_not_found" NOT_FOUND "No such session"
            "There is no such session.";
        TotpNotFound
            => "totp_not_found" NOT_FOUND "No authenticator app"
            "There is no authenticator app here to confirm or to remove.";
        PasskeyNotFound
            => "passkey_not_found" NOT_FOUND "No such passkey"
            "There is no such passkey.";
        WebhookNotFound
            => "webhook_not_found" NOT_FOUND "No such webhook"
            "There is no such webhook.";
        InvitationNotFound
            => "invitation_not_found" NOT_FOUND "No such invitation"
            "There is no such invitation, or it was accepted or has expired.";
        DeliveryNotFound
            => "delivery_not_found" NOT_FOUND "No such delivery"
            "There is no such delivery of this webhook, or it is about an account that is gone. They are kept for 30 days.";
        MethodNotAllowed { allow: String }
            => "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed"
            "This path does not take this method.";
        AddressTaken
            => "address_taken" CONFLICT "The address is taken"
            "Another account has this address.";
        ExternalIdTaken
            => "external_id_taken" CONFLICT "The external id is taken"
            "Another account has this external id.";
        StaffAccount
            => "staff_account" CONFLICT "This is an account of staff"
            "Members of staff cannot be impersonated.";
        AlreadyInvited
            => "already_invited" CONFLICT "The address is invited already"
            "This address has an invitation that is pending. Send it again, or revoke it first.";
        OwnAccount
            => "own_account" CONFLICT "This is your own account"
            "You cannot do this to your own account. Ask another administrator.";
        TotpAlreadyEnrolled
            => "totp_already_enrolled" CONFLICT "An authenticator app is enrolled"
            "There is an authenticator app already. Remove it before you add another.";
        PasskeyAlreadyAdded
            => "passkey_already_added" CONFLICT "The passkey is there already"
            "This passkey is there already.";
        TooManyPasskeys
            => "too_many_passkeys" CONFLICT "There are too many passkeys"
            "There are as many passkeys as an account can have. Remove one before you add another.";
        TooManyWebhooks
            => "too_many_webhooks" CONFLICT "There are too many webhooks"
            "There are twenty webhooks, as many as there can be. Delete one before you add another.";
        WebhookDisabled
            => "webhook_disabled" CONFLICT "The webhook is disabled"
            "This webhook is disabled. Enable it first.";
        RequestInProgress
            => "request_in_progress" CONFLICT "The request is in progress"
            "The first request with this idempotency key is still in progress. Send it again in a moment.";
        AnswerNotKept
            => "answer_not_kept" CONFLICT "The answer was not kept"
            "A request with this idempotency key was done before. Its answer held a token or a secret, and so is not kept.";
        LinkExpired
            => "link_expired" GONE "The link has expired"
            "This link has expired. Ask for a new one.";
        LinkUsed
            => "link_used" GONE "The link was used"
            "This link was used before, or what happened since took its place.";
        PreconditionFailed
            => "precondition_failed" PRECONDITION_FAILED "The user was changed"
            "This is not the state that `If-Match` names: the user was changed since. Read the user again.";
        PayloadTooLarge
            => "payload_too_large" PAYLOAD_TOO_LARGE "The body is too large"
            "The body is larger than this route takes.";
        UnsupportedMediaType(&'static str)
            => "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The content type is not supported"
            "Send the body as {0}.";
        IdempotencyKeyReused
            => "idempotency_key_reused" UNPROCESSABLE_ENTITY "The idempotency key was used for another request"
            "This idempotency key was used for another request. Use a new key for each.";
        TooManyAttempts { retry_after: Duration }
            => "too_many_attempts" TOO_MANY_REQUESTS "Too many attempts"
            "There were too many failed attempts. Wait before the next one.";
        RateLimited { retry_after: Duration }
            => "rate_limited" TOO_MANY_REQUESTS "Too many requests"
            "There were too many requests from your network. Wait before the next one.";
        Internal(#[source] Cause)
            => "internal_error" INTERNAL_SERVER_ERROR "Internal error"
            "Something went wrong on our side. Quote the request id when you report it.";
        // Nothing is broken, and as a rule nothing was done: too much happens at once to what this request is about.
        TemporarilyUnavailable(#[source] Cause)
            => "temporarily_unavailable" SERVICE_UNAVAILABLE "Temporarily unavailable"
            "Too much happens at once. Try again in a moment.";
    }
    {
        // All or nothing was written, and which of the two cannot be told in the time there is.
        OutcomeUnknown(#[source] Cause) TemporarilyUnavailable
            "Whether this was done is not known yet. Send the request again: nothing is done twice.";
    }
    {
        // Of a gateway that gives the request to no function.
        HeadersTooLarge => "headers_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE "The headers are too large";
    }
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
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
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
