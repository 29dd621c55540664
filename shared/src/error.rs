//! All errors as the caller sees them: one enum, one table of public codes. Causes stay internal.

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of an internal error: logged, never returned to the caller.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An invalid field of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Name of the field; a dotted path if the field is nested.
    #[schema(example = "email")]
    pub field: String,
    /// Stable, machine-readable code.
    #[schema(example = "invalid_email")]
    pub code: &'static str,
    /// Human-readable message.
    #[schema(example = "This is not a valid email address.")]
    pub detail: String,
}

/// One row per error: the variant and its data, the public code, the status, the title, and the message for the caller.
/// The second block adds errors that share a code, the third codes that no route returns.
macro_rules! errors {
    (
        { $(
            $variant:ident $(($($inner:tt)*))? $({ $($field:ident: $type:ty),* })?
            => $code:tt $status:ident $title:literal $message:literal $(($argument:expr))?;
        )* }
        { $($other:ident($($other_inner:tt)*) $of:ident $other_message:literal;)* }
        { $($only:ident => $only_code:tt $only_status:ident $only_title:literal;)* }
    ) => {
        /// A failed request. `Display` is the `detail` of the response, so it never contains a cause or a secret.
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

        /// The stable, machine-readable code of an error.
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

            /// The `detail` of its responses, with braces where an error's own data is; `None` where all of it is that.
            #[must_use]
            pub fn detail(self) -> Option<&'static str> {
                let detail = match self { $(Self::$variant => $message,)* $(Self::$only => "{}",)* };
                (!detail.starts_with('{')).then_some(detail)
            }
        }
    };
}

errors! {
    {
        InvalidRequest { detail: String, errors: Vec<FieldError> }
            => "invalid_request" BAD_REQUEST "Invalid request"
            "{detail}";
        LinkInvalid
            => "link_invalid" BAD_REQUEST "Invalid link"
            "This link is invalid. Check that it was copied completely.";
        InvalidCredentials
            => "invalid_credentials" UNAUTHORIZED "Invalid credentials"
            "The email address or password is incorrect.";
        Unauthenticated
            => "unauthenticated" UNAUTHORIZED "Authentication required"
            "This endpoint requires an access token as a Bearer credential. Sign in first.";
        InvalidToken
            => "invalid_token" UNAUTHORIZED "Invalid access token"
            "The access token is invalid or has expired, or its session has ended. Refresh it or sign in again.";
        ReauthenticationRequired { max_age: Duration }
            => "reauthentication_required" UNAUTHORIZED "Recent authentication required"
            "This endpoint requires authentication within the last {} minutes, including the second factor if the account has one. \
             Step up or sign in again." (max_age.as_secs() / 60);
        InvalidRefreshToken
            => "invalid_refresh_token" UNAUTHORIZED "Invalid refresh token"
            "The refresh token is invalid or has expired, or its session has ended. Sign in again.";
        InvalidClient
            => "invalid_client" UNAUTHORIZED "Invalid client credentials"
            "This endpoint requires the ID and secret of an allowed client as Basic credentials.";
        InvalidChallenge
            => "invalid_challenge" UNAUTHORIZED "Invalid challenge"
            "The challenge has expired, has already been used, or had too many failed attempts. Start again.";
        InvalidCode
            => "invalid_code" FORBIDDEN "Invalid code"
            "The code is incorrect, has expired, or has already been used.";
        InvalidPasskey
            => "invalid_passkey" FORBIDDEN "Invalid passkey"
            "The passkey could not be verified, or does not belong to an account that can sign in.";
        SecondFactorNeeded
            => "second_factor_needed" FORBIDDEN "Second factor required"
            "This account has a second factor. Verify it to continue.";
        EmailNotConfirmed
            => "email_not_confirmed" FORBIDDEN "Email address not confirmed"
            "Confirm your email address first: open the link in the email we sent you, or request a new one.";
        WrongPassword
            => "wrong_password" FORBIDDEN "Incorrect password"
            "The current password is incorrect.";
        AccountDisabled
            => "account_disabled" FORBIDDEN "Account disabled"
            "This account is disabled.";
        Forbidden
            => "forbidden" FORBIDDEN "Forbidden"
            "Your account does not have permission to do this.";
        Impersonating
            => "impersonating" FORBIDDEN "Not allowed while impersonating"
            "This is not allowed while you impersonate another user.";
        NotFound
            => "not_found" NOT_FOUND "Not found"
            "No endpoint exists at this path.";
        UserNotFound
            => "user_not_found" NOT_FOUND "User not found"
            "User not found.";
        SessionNotFound
            => "session_not_found" NOT_FOUND "Session not found"
            "Session not found.";
        TotpNotFound
            => "totp_not_found" NOT_FOUND "Authenticator app not found"
            "This account has no authenticator app to confirm or remove.";
        PasskeyNotFound
            => "passkey_not_found" NOT_FOUND "Passkey not found"
            "Passkey not found.";
        WebhookNotFound
            => "webhook_not_found" NOT_FOUND "Webhook not found"
            "Webhook not found.";
        InvitationNotFound
            => "invitation_not_found" NOT_FOUND "Invitation not found"
            "This invitation does not exist, has already been accepted, or has expired.";
        DeliveryNotFound
            => "delivery_not_found" NOT_FOUND "Delivery not found"
            "This webhook has no such delivery, or its account was deleted. Deliveries are kept for 30 days.";
        MethodNotAllowed { allow: String }
            => "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed"
            "Method not allowed for this path.";
        AddressTaken
            => "address_taken" CONFLICT "Email address already in use"
            "Another account uses this email address.";
        ExternalIdTaken
            => "external_id_taken" CONFLICT "External ID already in use"
            "Another account uses this external ID.";
        StaffAccount
            => "staff_account" CONFLICT "Staff account"
            "Staff accounts cannot be impersonated.";
        AlreadyInvited
            => "already_invited" CONFLICT "Already invited"
            "This email address has a pending invitation. Send it again, or revoke it first.";
        OwnAccount
            => "own_account" CONFLICT "Own account"
            "You cannot do this to your own account. Ask another administrator.";
        TotpAlreadyEnrolled
            => "totp_already_enrolled" CONFLICT "Authenticator app already enrolled"
            "This account already has an authenticator app. Remove it before you add another.";
        PasskeyAlreadyAdded
            => "passkey_already_added" CONFLICT "Passkey already added"
            "This passkey has already been added.";
        TooManyPasskeys
            => "too_many_passkeys" CONFLICT "Too many passkeys"
            "This account has the maximum number of passkeys. Remove one before you add another.";
        TooManyWebhooks
            => "too_many_webhooks" CONFLICT "Too many webhooks"
            "There are already 20 webhooks, which is the maximum. Delete one before you add another.";
        WebhookDisabled
            => "webhook_disabled" CONFLICT "Webhook disabled"
            "This webhook is disabled. Enable it first.";
        RequestInProgress
            => "request_in_progress" CONFLICT "Request in progress"
            "The first request with this idempotency key is still in progress. Try again shortly.";
        AnswerNotKept
            => "answer_not_kept" CONFLICT "Response not stored"
            "A request with this idempotency key has already succeeded. Responses with tokens or secrets are not stored.";
        LinkExpired
            => "link_expired" GONE "Link expired"
            "This link has expired. If you still need it, request a new one.";
        LinkUsed
            => "link_used" GONE "Link already used"
            "This link has already been used or is no longer valid.";
        PreconditionFailed
            => "precondition_failed" PRECONDITION_FAILED "Precondition failed"
            "The user has changed since the version in `If-Match`. Fetch the user again and retry.";
        PayloadTooLarge
            => "payload_too_large" PAYLOAD_TOO_LARGE "Payload too large"
            "The request body is larger than this endpoint accepts.";
        UnsupportedMediaType(&'static str)
            => "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type"
            "Send the body as {0}.";
        IdempotencyKeyReused
            => "idempotency_key_reused" UNPROCESSABLE_ENTITY "Idempotency key reused"
            "This idempotency key was used for a different request. Use a new key for each request.";
        TooManyAttempts { retry_after: Duration }
            => "too_many_attempts" TOO_MANY_REQUESTS "Too many attempts"
            "Too many failed attempts. Wait before you try again.";
        RateLimited { retry_after: Duration }
            => "rate_limited" TOO_MANY_REQUESTS "Too many requests"
            "Too many requests from your network. Wait before you try again.";
        Internal(#[source] Cause)
            => "internal_error" INTERNAL_SERVER_ERROR "Internal error"
            "Something went wrong on our side. Include the request ID when you report it.";
        // Not a fault, and normally nothing was written: too many concurrent requests for the same data.
        TemporarilyUnavailable(#[source] Cause)
            => "temporarily_unavailable" SERVICE_UNAVAILABLE "Temporarily unavailable"
            "The service is busy. Please try again shortly.";
    }
    {
        // Either everything or nothing was written; which of the two is unknown when the time runs out.
        OutcomeUnknown(#[source] Cause) TemporarilyUnavailable
            "It is not known yet whether the request took effect. Send it again: it takes effect only once.";
    }
    {
        // Returned by a gateway that invokes no function.
        HeadersTooLarge => "headers_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE "Request headers too large";
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    /// A request that is invalid as a whole rather than in one field.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::InvalidRequest { detail: detail.into(), errors: Vec::new() }
    }

    /// A request with one or more invalid fields.
    #[must_use]
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self::InvalidRequest { detail: String::from("Some fields are invalid; see `errors`."), errors }
    }

    /// An internal failure; `cause` is logged, never returned to the caller.
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
    fn every_code_is_written_as_serialised_and_listed_once() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert!(seen.insert(code.as_str()), "{code} occurs twice");
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn a_write_of_unknown_outcome_is_not_reported_as_unchanged() {
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
