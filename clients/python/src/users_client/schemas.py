"""The types of request and response bodies. Made by `generate.py` from the OpenAPI document; do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, final


@final
class AcceptInvitation(TypedDict):
    token: str
    """The token from the emailed link."""
    name: NotRequired[str | None]
    """Required if no account has the address."""
    password: NotRequired[str | None]
    """Required if no account has the address, or if the account was never confirmed."""


@final
class Accepted(TypedDict):
    status: str
    email: str


@final
class Act(TypedDict):
    sub: str


@final
class Active(TypedDict):
    """An active token. Times are in seconds since 1970-01-01T00:00:00Z."""

    active: Literal[True]
    token_type: str
    iss: str
    sub: str
    """ID of the user."""
    aud: str
    exp: int
    iat: int
    nbf: int
    jti: str
    client_id: NotRequired[str | None]
    """The client that the token was issued to: the front end of the product."""
    sid: str
    """ID of the session."""
    roles: list[Role]
    """The current roles of the user, which may differ from those in the token."""
    auth_time: int
    """When the user last authenticated; 0 if someone else acts for them."""
    act: NotRequired[Act | None]
    ext: NotRequired[dict[str, Any] | None]
    """Custom claims, as in the token."""


@final
class Activity(TypedDict):
    events: list[ActivityEvent]
    next_cursor: NotRequired[str | None]
    """Cursor for the next page; null on the last page."""


@final
class ActivityEvent(TypedDict):
    id: str
    type: str
    time: str
    subject: str
    """The account, webhook or invitation that the event is about."""
    actor: Actor
    data: NotRequired[dict[str, Any] | None]
    """Depends on the type (see the table of events). Absent for staff actions on an account: the account's activity has
    it."""


@final
class Actor(TypedDict):
    """The actor of an event."""

    type: str
    """`user`, `staff`, `link` (the holder of an emailed link), `anonymous` or `system`."""
    id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    source_ip: NotRequired[str | None]
    user_agent: NotRequired[str | None]


@final
class AddPasskey(TypedDict):
    challenge_token: str
    """The `challenge_token` of the options."""
    name: str
    """A name chosen by the owner."""
    credential: dict[str, Any]
    """The result of `navigator.credentials.create()`, by its `toJSON()`."""


@final
class ChangePassword(TypedDict):
    current_password: str
    new_password: str
    """Any characters. Rejected if it is a common password, the email address, the name or the name of the product."""


@final
class Confirm(TypedDict):
    token: str
    """The token from the emailed link. Other parameters are ignored, because email services and clients add some."""


@final
class ConfirmTotp(TypedDict):
    code: str
    """The six digits shown by the app."""


@final
class Confirmation1(TypedDict):
    status: Literal['confirmed']


@final
class Confirmation2(TypedDict):
    status: Literal['already_confirmed']


@final
class ConfirmationRequired(TypedDict):
    status: str
    email: str


@final
class ConfirmationSent(TypedDict):
    status: str
    """`confirmation_required`, or `already_confirmed` if no email is sent."""


@final
class CreateInvitation(TypedDict):
    email: str
    roles: NotRequired[list[Role] | None]
    """Roles that are added to the account. Default: `user` only."""
    app: NotRequired[dict[str, Any] | None]
    """Merged into the account's `app` (RFC 7396)."""


@final
class CreateUser(TypedDict):
    name: str
    email: str
    email_confirmed: NotRequired[bool]
    """Whether the address counts as confirmed. Otherwise it must be confirmed, as after a registration."""
    roles: NotRequired[list[Role] | None]
    """Default: `user` only."""
    app: NotRequired[dict[str, Any] | None]
    internal: NotRequired[dict[str, Any] | None]
    external_id: NotRequired[str | None]
    invite: NotRequired[bool]
    """Whether to email the user a link to choose a password, valid for seven days."""


@final
class CreateWebhook(TypedDict):
    url: str
    """An https URL of a host on the public internet. Redirects are not followed."""
    types: NotRequired[list[str]]
    """Event types; if empty or omitted, all events about accounts."""


@final
class Deliveries(TypedDict):
    deliveries: list[Delivery]
    next_cursor: NotRequired[str | None]
    """Cursor for the next page; null on the last page."""


@final
class Delivery(TypedDict):
    id: str
    """The ID of the event, which is also the `webhook-id` of the request."""
    type: str
    status: str
    """`pending`, `delivered`, `dead` (all attempts of three days failed) or `skipped` (the webhook was disabled)."""
    attempts: int
    created_at: str
    next_attempt_at: NotRequired[str | None]
    last_attempt: NotRequired[DeliveryAttempt | None]


@final
class DeliveryAttempt(TypedDict):
    at: str
    status: NotRequired[int | None]
    """The response status of the endpoint, if it responded."""
    reason: NotRequired[str | None]
    """Why there was no response: `address_refused`, `dns_failed`, `connect_failed`, `tls_failed`, `timed_out`, ..."""
    took_ms: NotRequired[int | None]


@final
class DisableUser(TypedDict):
    reason: NotRequired[str | None]
    """Visible to staff."""
    until: NotRequired[str | None]
    """When the account is enabled again automatically."""


@final
class Disabled(TypedDict):
    """Why and since when an account is disabled."""

    reason: NotRequired[str | None]
    until: NotRequired[str | None]
    """When the account is enabled again automatically."""
    by: NotRequired[str | None]
    """The member of staff; absent if it was an operator."""
    at: str


@final
class EmailChanged(TypedDict):
    status: str


@final
class EmailDelivery(TypedDict):
    status: str
    """`bounced`, `complained` or `suppressed`; for staff also `ok`."""
    since: NotRequired[str | None]
    diagnostic: NotRequired[str | None]
    """The diagnostic of the receiving server."""


@final
class EmailRestored(TypedDict):
    status: str


@final
class Export(TypedDict):
    exported_at: str
    user: User
    former_emails: list[FormerEmail]
    """Previous email addresses that are still reserved for the account."""
    sessions: list[Session]
    factors: ExportedFactors
    activity: list[ActivityEvent]
    """Newest first, at most 5,000 and 4 MiB."""
    activity_goes_on: bool
    """Whether there is more activity; `GET /user/activity` lists all of it."""


@final
class ExportedFactors(TypedDict):
    totp_since: NotRequired[str | None]
    """When the authenticator app was added."""
    recovery_codes_left: int
    passkeys: list[ExportedPasskey]


@final
class ExportedPasskey(TypedDict):
    name: str
    backed_up: bool
    created_at: str
    last_used_at: NotRequired[str | None]


@final
class FactorSummary(TypedDict):
    """The second factors of an account, for its owner to recognize them."""

    totp: bool
    """Whether there is an authenticator app."""
    passkeys: int
    """Number of passkeys."""


@final
class Factors(TypedDict):
    totp: NotRequired[Totp | None]
    passkeys: list[Passkey]
    """Oldest first."""
    recovery_codes: RecoveryCodes
    webauthn: Webauthn


@final
class FieldError(TypedDict):
    """An invalid field of the request."""

    field: str
    """Name of the field; a dotted path if the field is nested."""
    code: str
    """Stable, machine-readable code."""
    detail: str
    """Human-readable message."""


@final
class ForgotPassword(TypedDict):
    email: str


@final
class FormerEmail(TypedDict):
    email: str
    until: str


@final
class Health(TypedDict):
    status: str


@final
class ImpersonateUser(TypedDict):
    reason: str
    """Recorded in the activity."""
    write: NotRequired[bool]
    """Whether name, profile and picture may be changed."""


@final
class ImpersonationToken(TypedDict):
    access_token: str
    """Like the token from a sign-in, with the claim `act`."""
    token_type: str
    expires_in: int
    """Seconds until the token expires."""


@final
class Introspect(TypedDict):
    token: str
    token_type_hint: NotRequired[str | None]
    """Accepted and ignored: there is only one kind of token to introspect."""


@final
class Introspection2(TypedDict):
    """Without any other member (RFC 7662, 2.2)."""

    active: Literal[False]


@final
class Invitation(TypedDict):
    id: str
    email: str
    roles: list[Role]
    app: dict[str, Any]
    status: str
    """`pending`, `accepted` or `expired`."""
    invited_by: str
    created_at: str
    expires_at: str
    accepted_at: NotRequired[str | None]


@final
class Invitations(TypedDict):
    invitations: list[Invitation]
    next_cursor: NotRequired[str | None]
    """Cursor for the next page; null on the last page."""


@final
class KeySet(TypedDict):
    keys: list[dict[str, Any]]
    """Public keys as JWKs; `kid` is the RFC 7638 thumbprint."""


@final
class ListedUser(TypedDict):
    """An account in a list, as staff see it."""

    id: str
    name: str
    email: str
    email_confirmed: bool
    pending_email: NotRequired[str | None]
    """The address that replaces `email` once the link emailed to it is used; only in one's own account."""
    email_delivery: NotRequired[EmailDelivery | None]
    roles: list[Role]
    profile: NotRequired[dict[str, Any] | None]
    """Stored by the owner; only in one's own account."""
    app: NotRequired[dict[str, Any] | None]
    """Stored by administrators, visible to the owner; only in one's own account."""
    picture: Picture
    created_at: str
    updated_at: str
    status: Status
    external_id: NotRequired[str | None]


@final
class Login(TypedDict):
    email: str
    password: str
    device_token: NotRequired[str | None]
    """The `device_token` from an earlier sign-in to this account, if the client stored one: other people's failed attempts
    then do not lock this client out. An invalid one is ignored."""


@final
class Logout(TypedDict):
    everywhere: NotRequired[bool]
    """Also end every other session of the account."""


@final
class Metadata(TypedDict):
    """Authorization server metadata (RFC 8414, 2)."""

    issuer: str
    jwks_uri: str
    introspection_endpoint: str
    introspection_endpoint_auth_methods_supported: list[str]
    response_types_supported: list[str]
    """Empty: there is no authorization endpoint. The field itself is required."""
    grant_types_supported: list[str]
    """Empty: there is no token endpoint. Omitting the field would mean `authorization_code` and `implicit`."""
    service_documentation: str


@final
class Passkey(TypedDict):
    id: str
    credential_id: str
    """The credential ID that browsers and password managers use, in URL-safe base64."""
    name: str
    backed_up: bool
    """Whether the passkey is backed up with its provider, as last reported: it then survives the loss of the device."""
    created_at: str
    last_used_at: NotRequired[str | None]
    """When it was last used to sign in or to step up."""


@final
class PasskeyAdded(TypedDict):
    id: str
    credential_id: str
    """The credential ID that browsers and password managers use, in URL-safe base64."""
    name: str
    backed_up: bool
    """Whether the passkey is backed up with its provider, as last reported: it then survives the loss of the device."""
    created_at: str
    last_used_at: NotRequired[str | None]
    """When it was last used to sign in or to step up."""
    recovery_codes: NotRequired[list[str] | None]
    """Ten codes, with the first second factor of the account. Each can be used once instead of the factor, with the
    password. They are not shown again."""


@final
class PasskeyAsked(TypedDict):
    challenge_token: str
    """To be sent back with the authenticator's response; can be used once."""
    expires_in: int
    """Seconds until the challenge expires."""
    options: dict[str, Any]
    """For `navigator.credentials.get()`, by `PublicKeyCredential.parseRequestOptionsFromJSON()`."""


@final
class PasskeyLogin(TypedDict):
    challenge_token: str
    """The `challenge_token` of the options."""
    credential: dict[str, Any]
    """The result of `navigator.credentials.get()`, by its `toJSON()`."""
    device_token: NotRequired[str | None]
    """The `device_token` from an earlier sign-in to this account, if the client stored one; the new one is for the same
    device."""


@final
class PasskeyProof(TypedDict):
    """The response to the options of `POST /auth/passkey/options`."""

    challenge_token: str
    """The `challenge_token` of the options."""
    credential: dict[str, Any]
    """The result of `navigator.credentials.get()`, by its `toJSON()`."""


@final
class PasskeyStarted(TypedDict):
    challenge_token: str
    """To be sent back with the authenticator's response; can be used once."""
    expires_in: int
    """Seconds until the challenge expires."""
    options: dict[str, Any]
    """For `navigator.credentials.create()`, by `PublicKeyCredential.parseCreationOptionsFromJSON()`."""


@final
class PasswordReset(TypedDict):
    status: str
    factors: FactorSummary
    """The second factors of the account, whoever added them: signing in requires one of them."""
    device_token: NotRequired[str | None]
    """Opaque; to be sent with the next sign-in, like the one from a sign-in, so that failed attempts by others do not lock
    the owner out. Absent if the account has a second factor."""


@final
class PatchUser(TypedDict):
    name: NotRequired[str]
    email: NotRequired[str]
    """Takes effect immediately, without confirmation by the owner."""
    email_confirmed: NotRequired[bool]
    """Whether the address counts as confirmed. A new address does not unless this is true, and a link is emailed to it."""
    roles: NotRequired[list[Role]]
    """Replaces the current roles."""
    app: NotRequired[dict[str, Any] | None]
    internal: NotRequired[dict[str, Any] | None]
    external_id: NotRequired[str | None]


@final
class Picture(TypedDict):
    status: PictureStatus
    reason: NotRequired[str | None]
    """Why the last upload was rejected."""
    urls: NotRequired[PictureUrls | None]


PictureUrls = TypedDict("PictureUrls", {
    "64": "str",
    "256": "str",
    "512": "str",
})
"""URLs of the square pictures by edge length in pixels. The picture behind a URL never changes."""


@final
class PresignedUpload(TypedDict):
    upload_url: str
    """The URL to send the picture to."""
    method: str
    headers: UploadHeaders
    """To be sent with the picture, all of them and unchanged; browsers and other clients set `content-length`
    themselves."""
    expires_in: int
    """Seconds until the URL expires."""


@final
class Problem(TypedDict):
    """An error response (RFC 9457)."""

    type: str
    """URI that identifies the problem type."""
    title: str
    status: int
    detail: str
    code: Code
    """Stable, machine-readable code."""
    request_id: str
    errors: list[FieldError]
    """The invalid fields; empty if the error is not about fields."""


@final
class ReauthenticateCode(TypedDict):
    """Exactly one of the four fields: the password if the account has no second factor, otherwise one of the others."""

    code: str
    """The six digits shown by the authenticator app."""


@final
class ReauthenticateRecoveryCode(TypedDict):
    """Exactly one of the four fields: the password if the account has no second factor, otherwise one of the others."""

    recovery_code: str
    """A recovery code."""


@final
class ReauthenticatePasskey(TypedDict):
    """Exactly one of the four fields: the password if the account has no second factor, otherwise one of the others."""

    passkey: PasskeyProof
    """A passkey of the account."""


@final
class ReauthenticatePassword(TypedDict):
    """Exactly one of the four fields: the password if the account has no second factor, otherwise one of the others."""

    password: str


@final
class RecoveryCodes(TypedDict):
    left: int
    """Number of unused codes."""
    created_at: NotRequired[str | None]
    """When the codes were generated."""


@final
class RecoveryCodesMade(TypedDict):
    recovery_codes: list[str]
    """Ten codes. Each can be used once instead of the second factor, with the password. They are not shown again."""


@final
class Refresh(TypedDict):
    refresh_token: str


@final
class Register(TypedDict):
    name: str
    """At least one visible character. Invisible characters at both ends are removed."""
    email: str
    """The part before the `@` must be ASCII, without quotes and comments; the domain may be in any script."""
    password: str
    """Any characters. Rejected if it is a common password, the email address, the name or the name of the product."""


@final
class RenamePasskey(TypedDict):
    name: str


@final
class Replay(TypedDict):
    since: str
    """Events since this time are sent again with the same IDs."""


@final
class ResetPassword(TypedDict):
    token: str
    """The token from the emailed link."""
    password: str
    """Any characters. Rejected if it is a common password, the email address, the name or the name of the product."""


@final
class ResetRequested(TypedDict):
    status: str
    email: str


@final
class ResetSent(TypedDict):
    status: str


@final
class SecondFactorRequired(TypedDict):
    status: str
    challenge_token: str
    """Opaque; for one sign-in with at most five attempts."""
    expires_in: int
    """Seconds until the challenge expires."""
    methods: list[str]
    """What can complete the sign-in: `totp` (the `code` of an authenticator app), `passkey`, `recovery_code`."""
    passkey_options: NotRequired[dict[str, Any] | None]
    """For `navigator.credentials.get()`, by `PublicKeyCredential.parseRequestOptionsFromJSON()`, if the account has
    passkeys."""


@final
class Send(TypedDict):
    email: str


@final
class SendPasswordReset(TypedDict):
    end_sessions: NotRequired[bool]
    """Whether to end all sessions, sign-ins in progress and pending changes as well."""


@final
class Session(TypedDict):
    id: str
    created_at: str
    """When the session started (the sign-in)."""
    last_used_at: str
    """When the tokens were last refreshed, or the session started."""
    source_ip: NotRequired[str | None]
    """The IP address of the sign-in."""
    client: NotRequired[str | None]
    """The `User-Agent` of the sign-in, truncated."""
    current: bool
    """Whether this is the session of the request."""


@final
class Sessions(TypedDict):
    sessions: list[Session]


@final
class ShownUser(TypedDict):
    id: str
    name: str
    email: str
    email_confirmed: bool
    pending_email: NotRequired[str | None]
    """The address that replaces `email` once the link emailed to it is used; only in one's own account."""
    email_delivery: EmailDelivery
    roles: list[Role]
    profile: dict[str, Any]
    """Stored by the owner."""
    app: dict[str, Any]
    """Stored by administrators, visible to the owner."""
    picture: Picture
    created_at: str
    updated_at: str
    status: Status
    external_id: NotRequired[str | None]
    disabled: NotRequired[Disabled | None]
    factors: UserFactors
    internal: dict[str, Any]
    """Stored by administrators, visible to staff only."""
    etag: str
    """For `If-Match`; changes whenever something changes that `PATCH` can change."""
    last_sign_in_at: NotRequired[str | None]
    """Within the retention of the activity."""


@final
class SignedIn(TypedDict):
    access_token: str
    """A JWT (RFC 9068), to be sent as `Authorization: Bearer`."""
    token_type: str
    expires_in: int
    """Seconds until the access token expires."""
    refresh_token: str
    """Opaque; can be used for one refresh."""
    refresh_expires_in: int
    """Seconds until the refresh token expires if it is not used."""
    device_token: str
    """Opaque; store it for 180 days, even after signing out, and send it with the next sign-in to this account."""
    user: User


@final
class StaffUser(TypedDict):
    """An account as staff see it."""

    id: str
    name: str
    email: str
    email_confirmed: bool
    pending_email: NotRequired[str | None]
    """The address that replaces `email` once the link emailed to it is used; only in one's own account."""
    email_delivery: EmailDelivery
    roles: list[Role]
    profile: dict[str, Any]
    """Stored by the owner."""
    app: dict[str, Any]
    """Stored by administrators, visible to the owner."""
    picture: Picture
    created_at: str
    updated_at: str
    status: Status
    external_id: NotRequired[str | None]
    disabled: NotRequired[Disabled | None]
    factors: UserFactors
    internal: dict[str, Any]
    """Stored by administrators, visible to staff only."""
    etag: str
    """For `If-Match`; changes whenever something changes that `PATCH` can change."""


@final
class StepUpCode(TypedDict):
    """A proof of the second factor: exactly one of the three fields."""

    code: str
    """The six digits shown by the authenticator app."""


@final
class StepUpRecoveryCode(TypedDict):
    """A proof of the second factor: exactly one of the three fields."""

    recovery_code: str
    """A recovery code."""


@final
class StepUpPasskey(TypedDict):
    """A proof of the second factor: exactly one of the three fields."""

    passkey: PasskeyProof
    """A passkey of the account."""


@final
class TestSent(TypedDict):
    delivery_id: str
    """ID of the delivery, to look up its result."""


@final
class TokenPair(TypedDict):
    """The tokens from a sign-in or refresh."""

    access_token: str
    """A JWT (RFC 9068), to be sent as `Authorization: Bearer`."""
    token_type: str
    expires_in: int
    """Seconds until the access token expires."""
    refresh_token: str
    """Opaque; can be used for one refresh."""
    refresh_expires_in: int
    """Seconds until the refresh token expires if it is not used."""


@final
class Totp(TypedDict):
    enrolled_at: str
    """When the app was confirmed."""


@final
class TotpConfirmed(TypedDict):
    recovery_codes: NotRequired[list[str] | None]
    """Ten codes if none were left: with the first second factor of the account, or after all were used. Each can be used
    once instead of the factor, with the password. They are not shown again."""


@final
class TotpStarted(TypedDict):
    secret: str
    """For manual entry into an app, in base32."""
    otpauth_url: str
    """The content of the QR code; opens the app on the same device."""
    qr_code: str
    """The QR code as a PNG in a `data:` URL."""
    expires_in: int
    """Seconds within which the app must be confirmed."""


@final
class UpdateUser(TypedDict):
    name: NotRequired[str | None]
    email: NotRequired[str | None]
    """The new email address. The current address cancels a pending change."""
    profile: NotRequired[dict[str, Any] | None]
    """A JSON object for the owner's own use. It replaces the previous one; at most 16 KiB together with `app` and
    `internal`."""


@final
class UpdateWebhook(TypedDict):
    url: NotRequired[str | None]
    types: NotRequired[list[str] | None]
    enabled: NotRequired[bool | None]
    """Nothing is delivered while this is false. A replay delivers the events missed in that time."""


UploadHeaders = TypedDict("UploadHeaders", {
    "content-type": "str",
    "content-length": "str",
    "if-none-match": "str",
})


@final
class UploadPicture(TypedDict):
    content_type: Literal['image/jpeg', 'image/png', 'image/webp', 'image/gif']
    """The media type of the picture, case-insensitive; `image/jpg` is also accepted. HEIC, the format of many phones, is
    not: `<input type="file" accept="image/jpeg,image/png,image/webp,image/gif">` makes iOS convert it."""
    content_length: int
    """Size in bytes, at most 10 MiB."""


@final
class User(TypedDict):
    id: str
    name: str
    email: str
    email_confirmed: bool
    pending_email: NotRequired[str | None]
    """The address that replaces `email` once the link emailed to it is used; only in one's own account."""
    email_delivery: NotRequired[EmailDelivery | None]
    roles: list[Role]
    profile: NotRequired[dict[str, Any] | None]
    """Stored by the owner; only in one's own account."""
    app: NotRequired[dict[str, Any] | None]
    """Stored by administrators, visible to the owner; only in one's own account."""
    picture: Picture
    created_at: str
    updated_at: str


@final
class UserFactors(TypedDict):
    """The factors of an account besides the password."""

    totp: bool
    """Whether there is an authenticator app."""
    passkeys: int
    """Number of passkeys."""
    recovery_codes_left: NotRequired[int | None]


@final
class UserSessions(TypedDict):
    sessions: list[Session]


@final
class Users(TypedDict):
    users: list[ListedUser]
    next_cursor: NotRequired[str | None]
    """Cursor for the next page; null on the last page."""


@final
class VerifyLoginCode(TypedDict):
    challenge_token: str
    """The `challenge_token` of the sign-in."""
    code: str
    """The six digits shown by the authenticator app."""


@final
class VerifyLoginRecoveryCode(TypedDict):
    challenge_token: str
    """The `challenge_token` of the sign-in."""
    recovery_code: str
    """A recovery code."""


@final
class VerifyLoginPasskey(TypedDict):
    challenge_token: str
    """The `challenge_token` of the sign-in."""
    passkey: dict[str, Any]
    """The result of `navigator.credentials.get()` for the `passkey_options` of the sign-in, by its `toJSON()`."""


@final
class Webauthn(TypedDict):
    """The arguments of `PublicKeyCredential.signalAllAcceptedCredentials()` besides the `credential_id` of each passkey."""

    rp_id: str
    """Its `rpId`."""
    user_id: str
    """Its `userId`: URL-safe base64."""


@final
class Webhook(TypedDict):
    id: str
    url: str
    types: list[str]
    """Event types that it receives; if empty, all events about accounts."""
    enabled: bool
    disabled_reason: NotRequired[DisabledReason | None]
    disabled_at: NotRequired[str | None]
    failing_since: NotRequired[str | None]
    """Since when all attempts have failed."""
    secrets: list[WebhookSecret]
    """The active signing secrets, newest first: a replaced secret signs for one more day; at most five."""
    created_at: str
    updated_at: str


@final
class WebhookSecret(TypedDict):
    created_at: str
    retires_at: NotRequired[str | None]


@final
class WebhookWithSecret(TypedDict):
    """A webhook with its secret, which is shown only once."""

    id: str
    url: str
    types: list[str]
    """Event types that it receives; if empty, all events about accounts."""
    enabled: bool
    disabled_reason: NotRequired[DisabledReason | None]
    disabled_at: NotRequired[str | None]
    failing_since: NotRequired[str | None]
    """Since when all attempts have failed."""
    secrets: list[WebhookSecret]
    """The active signing secrets, newest first: a replaced secret signs for one more day; at most five."""
    created_at: str
    updated_at: str
    secret: str
    """The signing secret, in the format of Standard Webhooks. It is not shown again."""


@final
class Webhooks(TypedDict):
    webhooks: list[Webhook]


Code: TypeAlias = Literal['invalid_request', 'link_invalid', 'invalid_credentials', 'unauthenticated', 'invalid_token', 'reauthentication_required', 'invalid_refresh_token', 'invalid_client', 'invalid_challenge', 'invalid_code', 'invalid_passkey', 'second_factor_needed', 'email_not_confirmed', 'wrong_password', 'account_disabled', 'forbidden', 'impersonating', 'not_found', 'user_not_found', 'session_not_found', 'totp_not_found', 'passkey_not_found', 'webhook_not_found', 'invitation_not_found', 'delivery_not_found', 'method_not_allowed', 'address_taken', 'external_id_taken', 'staff_account', 'already_invited', 'own_account', 'totp_already_enrolled', 'passkey_already_added', 'too_many_passkeys', 'too_many_webhooks', 'webhook_disabled', 'request_in_progress', 'answer_not_kept', 'link_expired', 'link_used', 'precondition_failed', 'payload_too_large', 'unsupported_media_type', 'idempotency_key_reused', 'too_many_attempts', 'rate_limited', 'internal_error', 'temporarily_unavailable', 'headers_too_large']
"""The stable, machine-readable code of an error."""


Confirmation: TypeAlias = Confirmation1 | Confirmation2


DisabledReason: TypeAlias = Literal['switched_off', 'failing']


Introspection: TypeAlias = Active | Introspection2


PictureStatus: TypeAlias = Literal['none', 'processing', 'ready', 'rejected']


Reauthenticate: TypeAlias = ReauthenticateCode | ReauthenticateRecoveryCode | ReauthenticatePasskey | ReauthenticatePassword
"""Exactly one proof."""


Role: TypeAlias = str
"""`user`, `support` and `admin` have a meaning in this service; other roles are defined by the team."""


Status: TypeAlias = Literal['active', 'unconfirmed', 'disabled']


StepUp: TypeAlias = StepUpCode | StepUpRecoveryCode | StepUpPasskey
"""Exactly one proof."""


VerifyLogin: TypeAlias = VerifyLoginCode | VerifyLoginRecoveryCode | VerifyLoginPasskey
"""Exactly one proof."""
