//! Sends the emails of the outbox.
//!
//! Triggered by SQS; a message names an email in the outbox. The emailer claims it, sends it with SES and deletes it. A duplicate
//! message has nothing to do; if an emailer dies, its claim expires.

use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message as SesMessage};
use secrecy::ExposeSecret;
use shared::clock::Timestamp;
use shared::domain::email::{EmailAddress, NormalizedEmail};
use shared::domain::event::{Actor, Changes, DomainEvent, EventKind, SessionsEnd};
use shared::domain::fingerprint::UserAgentFingerprint;
use shared::domain::id::{InvitationId, UserId};
use shared::domain::link::{CONFIRMATION_LIFE, INVITATION_LIFE, Link, LinkPurpose, LinkToken, RESET_LIFE, UNDO_LIFE};
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::name::UserName;
use shared::domain::user::User;
use shared::error::Causes;
use shared::grant::{Grant, Grants, Resource};
use shared::grants;
use shared::http::BASE_PATH;
use shared::http::{Trigger, Worker};
use shared::mail::{Brand, Language, Message, Rendered, header, render};
use shared::outbox::EmailMessage;
use shared::store::{Claim, EmailThrottle, Store};
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

/// Added before the hours in an email are rounded down.
const ALMOST_AN_HOUR: Duration = Duration::from_mins(59);

/// Its timeout is less than the minute of a claim. Two send about twenty emails a second; SES allows a new account outside the
/// sandbox 14.
pub const WORKER: Worker =
    Worker::new(module_path!(), Trigger::Queue { name: "MailQueue", batch: 5, concurrency: "2" }, 30).may(grants![
        Store::CLAIM_EMAIL,
        Store::COMPLETE_EMAIL,
        Store::COMPLETE_SENT_EMAIL,
        Store::RELEASE_EMAIL,
        Store::PASS_ADDRESS_THROTTLE,
        Store::PASS_EMAIL_THROTTLE,
        Store::OWNER_OF,
        Store::USER,
        Store::CONTEST,
        Store::PUT_LINK,
        Store::INVITATION,
        Store::PUT_INVITATION_LINK,
        Store::EMAIL_DELIVERY,
        SEND,
    ]);

const SEND: Grants = &[Grant::on(Resource::Sender, &["ses:SendEmail"])];

/// Runs as the Lambda function.
#[must_use]
pub fn run() -> ExitCode {
    shared::lambda::consume(handler)
}

/// Processes each message of a batch; failed ones are delivered again.
///
/// # Errors
/// Never: failures are reported per message.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "emailer"))]
pub async fn handler(app: App, event: SqsEvent) -> Result<SqsBatchResponse> {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Err(error) = take(&app, &message).await {
            tracing::warn!(error.message = %Causes(&error), "failed to send an email; it will be retried");
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(response)
}

async fn take(app: &App, message: &SqsMessage) -> Result<()> {
    let message: EmailMessage =
        serde_json::from_str(message.body.as_deref().unwrap_or_default()).map_err(Error::internal)?;
    match app.store().claim_email(&message.address, message.mail, app.clock.now()).await? {
        Claim::Gone => Ok(()),
        Claim::Held => Err(Error::internal("another emailer holds the email")),
        Claim::Taken(mail) => match deliver(app, &mail).await {
            Ok(Delivery::Settled) => app.store().complete_email(&mail).await,
            Ok(Delivery::Sent { to, message_id }) => {
                app.store().complete_sent_email(&mail, &to, &message_id, app.clock.now()).await
            }
            // The sweeper enqueues it again.
            Ok(Delivery::Postponed) => app.store().release_email(&mail).await,
            Err(error) => {
                app.store().release_email(&mail).await?;
                Err(error)
            }
        },
    }
}

/// The result of preparing an email.
enum Prepared {
    Ready {
        to: EmailAddress,
        rendered: Rendered,
    },
    /// Nothing needs to be sent.
    Dropped(&'static str),
    /// It is sent later: others have just had an email sent to the address.
    Postponed,
}

/// Whether an email may be deleted from the outbox.
enum Delivery {
    /// SES accepted it, and reports on it with this ID.
    Sent {
        to: NormalizedEmail,
        message_id: String,
    },
    Settled,
    Postponed,
}

/// Sends the email, or determines that it no longer needs to be sent, can never be sent, or must wait.
async fn deliver(app: &App, mail: &OutboxEmail) -> Result<Delivery> {
    let kind = mail.kind.log_name();
    let event = if !mail.kind.is_asked_for() && app.store().email_delivery(&mail.address).await?.is_some() {
        Event::MailDropped { kind, reason: "does_not_arrive" }
    } else if mail.address.is_deliverable() {
        match prepare(app, mail).await? {
            Prepared::Postponed => return Ok(Delivery::Postponed),
            Prepared::Dropped(reason) => Event::MailDropped { kind, reason },
            Prepared::Ready { to, rendered } => match send(app, &to, rendered).await? {
                Sent::Taken { message_id } => {
                    Event::MailSent { kind }.record();
                    // Nothing is kept for a deleted account.
                    let kept = !matches!(mail.kind, EmailKind::AccountDeleted { .. });
                    let sent = Delivery::Sent { to: to.normalized(), message_id };
                    return Ok(if kept { sent } else { Delivery::Settled });
                }
                Sent::Refused => Event::MailFailed { kind, reason: "refused" },
            },
        }
    } else {
        // An account from before such addresses were rejected.
        Event::MailFailed { kind, reason: "undeliverable" }
    };
    event.record();
    Ok(Delivery::Settled)
}

async fn prepare(app: &App, mail: &OutboxEmail) -> Result<Prepared> {
    match &mail.kind {
        EmailKind::AccountDeleted { to, name } => {
            return ready(app, to.clone(), &Message::AccountDeleted { name: name.as_str() });
        }
        EmailKind::PasswordChanged { to, name, factors } => {
            return ready(app, to.clone(), &Message::PasswordChanged { name: name.as_str(), factors: *factors });
        }
        EmailKind::WebhookDisabled { to, host, since } => {
            let since = since.rfc3339();
            return ready(app, to.clone(), &Message::WebhookDisabled { host, since: &since });
        }
        EmailKind::AddressChanged { user, to, name, undo_until } => {
            return address_changed(app, *user, to, name, *undo_until).await;
        }
        EmailKind::AddressChangedByStaff { to, name } => {
            return ready(app, to.clone(), &Message::AddressChangedByStaff { name: name.as_str() });
        }
        EmailKind::Invitation { id } => return invitation(app, *id).await,
        EmailKind::Impersonated { to, name, at, write } => {
            let at = at.rfc3339();
            return ready(app, to.clone(), &Message::Impersonated { name: name.as_str(), at: &at, write: *write });
        }
        EmailKind::ChangeAddress { user, to } => return change_of_address(app, mail, *user, to).await,
        EmailKind::SecondFactorChanged { to, name, change } => {
            return ready(app, to.clone(), &Message::SecondFactorChanged { name: name.as_str(), change: *change });
        }
        _ => {}
    }
    let owner = app.store().owner_of(&mail.address).await?;
    let user = match owner {
        Some(owner) => app.store().user(owner).await?,
        None => None,
    };
    let Some(user) = user else {
        return Ok(Prepared::Dropped("no_account"));
    };
    match mail.kind {
        EmailKind::ConfirmAddress { user: id }
        | EmailKind::AccountCreated { user: id }
        | EmailKind::ResetByStaff { user: id }
        | EmailKind::NewSignIn { user: id, .. }
            if id != user.id =>
        {
            Ok(Prepared::Dropped("no_account"))
        }
        // Disabled users are sent no link.
        EmailKind::ConfirmAddress { .. }
        | EmailKind::ConfirmationRequested
        | EmailKind::AccountCreated { .. }
        | EmailKind::ResetRequested
        | EmailKind::ResetByStaff { .. }
            if user.is_disabled(app.clock.now()) =>
        {
            Ok(Prepared::Dropped("account_disabled"))
        }
        // The owner has chosen a password since.
        EmailKind::AccountCreated { .. } if user.email_confirmed && user.session_epoch > 0 => {
            Ok(Prepared::Dropped("no_longer_wanted"))
        }
        EmailKind::AccountCreated { .. } => account_created(app, &user).await,
        EmailKind::NewSignIn { client, ref source_ip, at, .. } => {
            new_sign_in(app, &user, client, source_ip.as_deref(), at)
        }
        EmailKind::ConfirmAddress { .. } | EmailKind::ConfirmationRequested if user.email_confirmed => {
            Ok(Prepared::Dropped("already_confirmed"))
        }
        EmailKind::ConfirmAddress { .. } => confirmation(app, &user).await,
        EmailKind::AlreadyRegistered => already_registered(app, &user, mail).await,
        EmailKind::AddressRestored { user: id } if id != user.id => Ok(Prepared::Dropped("no_account")),
        EmailKind::AddressRestored { .. } => address_restored(app, &user).await,
        EmailKind::ResetRequested if !may_go_out(app, &user, EmailThrottle::Reset, mail).await? => {
            Ok(Prepared::Dropped("asked_too_often"))
        }
        EmailKind::ResetRequested | EmailKind::ResetByStaff { .. } => reset(app, &user).await,
        _ if !may_go_out(app, &user, EmailThrottle::Registration, mail).await? => {
            Ok(Prepared::Dropped("asked_too_often"))
        }
        _ => confirmation(app, &user).await,
    }
}

async fn may_go_out(app: &App, user: &User, throttle: EmailThrottle, mail: &OutboxEmail) -> Result<bool> {
    Ok(!app.config.limits.on || app.store().pass_email_throttle(user.id, throttle, mail, app.clock.now()).await?)
}

/// The link that confirms the account: the plain one, or the one to choose a password if that is required.
async fn confirmation(app: &App, user: &User) -> Result<Prepared> {
    if user.needs_chosen_password(app.config.admin_email.as_ref()) {
        let link = reset_link(app, user).await?;
        let message = Message::ChoosePassword { link: &link, valid_minutes: minutes(RESET_LIFE) };
        return ready(app, user.email.clone(), &message);
    }
    let link = link(app, user, "/auth/confirm", LinkPurpose::ConfirmAddress, from_now(app, CONFIRMATION_LIFE)).await?;
    let message =
        Message::ConfirmAddress { name: user.name.as_str(), link: &link, valid_hours: hours(CONFIRMATION_LIFE) };
    ready(app, user.email.clone(), &message)
}

/// Only the newest link works.
async fn invitation(app: &App, id: InvitationId) -> Result<Prepared> {
    let now = app.clock.now();
    let Some(invitation) = app.store().invitation(id).await?.filter(|invitation| invitation.is_pending(now)) else {
        return Ok(Prepared::Dropped("no_longer_wanted"));
    };
    let token = LinkToken::new(UserId::from_bytes(*id.as_bytes()));
    if !app.store().put_invitation_link(id, &token.hash(), now).await? {
        return Ok(Prepared::Dropped("no_longer_wanted"));
    }
    let base = &app.config.mail.link_base_url;
    let link = format!("{base}{BASE_PATH}/auth/invitation?token={}", token.encode().expose_secret());
    let valid_days = hours(invitation.expires_at.since(now).saturating_add(ALMOST_AN_HOUR)) / 24;
    ready(app, invitation.email, &Message::Invitation { link: &link, valid_days: valid_days.max(1) })
}

/// It is valid longer than other links to choose a password: the account has none yet, and its owner does not wait for it.
async fn account_created(app: &App, user: &User) -> Result<Prepared> {
    let purpose = LinkPurpose::ResetPassword { email: user.email.clone(), epoch: user.session_epoch };
    let link = link(app, user, "/auth/password/reset", purpose, from_now(app, INVITATION_LIFE)).await?;
    let valid_days = hours(INVITATION_LIFE) / 24;
    let message = Message::AccountCreated { name: user.name.as_str(), link: &link, valid_days };
    ready(app, user.email.clone(), &message)
}

async fn reset(app: &App, user: &User) -> Result<Prepared> {
    let link = reset_link(app, user).await?;
    let message = Message::ResetPassword { name: user.name.as_str(), link: &link, valid_minutes: minutes(RESET_LIFE) };
    ready(app, user.email.clone(), &message)
}

/// To the pending address of the account; if another account has it, its owner is notified as if someone had registered with the
/// address.
async fn change_of_address(app: &App, mail: &OutboxEmail, user: UserId, to: &EmailAddress) -> Result<Prepared> {
    let (user, owner) = tokio::try_join!(app.store().user(user), app.store().owner_of(&mail.address))?;
    // Only the newest request of an account for an address counts, otherwise postponed ones would add up.
    let wanted = |user: &User| user.pending_email.as_ref() == Some(to) && user.email_asked_at == Some(mail.created_at);
    let now = app.clock.now();
    // As long as the account shows the pending change.
    let expires_at = mail.created_at.plus(CONFIRMATION_LIFE);
    let Some(user) = user.filter(|user| wanted(user) && now < expires_at) else {
        return Ok(Prepared::Dropped("no_longer_wanted"));
    };
    // The caller chose the address, and accounts cost nothing. The next request is postponed, not rejected, otherwise a stranger's
    // earlier request would keep the address's owner from it.
    if app.config.limits.on && !app.store().pass_address_throttle(mail, now).await? {
        return Ok(Prepared::Postponed);
    }
    let owner = match owner {
        Some(owner) => app.store().user(owner).await?,
        None => None,
    };
    if let Some(owner) = owner {
        return already_registered(app, &owner, mail).await;
    }
    let purpose = LinkPurpose::ChangeAddress { email: to.clone(), epoch: user.session_epoch };
    let link = link(app, &user, "/auth/email/confirm", purpose, expires_at).await?;
    let valid_hours = hours(expires_at.since(now).saturating_add(ALMOST_AN_HOUR));
    let message = Message::ChangeAddress { name: user.name.as_str(), link: &link, valid_hours };
    ready(app, to.clone(), &message)
}

async fn address_changed(
    app: &App,
    user: UserId,
    to: &EmailAddress,
    name: &UserName,
    undo_until: Option<Timestamp>,
) -> Result<Prepared> {
    let Some(user) = app.store().user(user).await? else {
        return Ok(Prepared::Dropped("no_account"));
    };
    let name = name.as_str();
    let Some(until) = undo_until else {
        return ready(app, to.clone(), &Message::AddressChangedBack { name });
    };
    let purpose = LinkPurpose::UndoAddressChange { email: to.clone() };
    let link = link(app, &user, "/auth/email/undo", purpose, until).await?;
    ready(app, to.clone(), &Message::AddressChanged { name, link: &link, valid_days: hours(UNDO_LIFE) / 24 })
}

async fn address_restored(app: &App, user: &User) -> Result<Prepared> {
    let link = reset_link(app, user).await?;
    let message =
        Message::AddressRestored { name: user.name.as_str(), link: &link, valid_minutes: minutes(RESET_LIFE) };
    ready(app, user.email.clone(), &message)
}

/// To the owner of an address that someone else also claims. If the address was not proved before the claim, the account is
/// contested from now on, and its owner gets the link to choose a password however often others have requested emails.
async fn already_registered(app: &App, user: &User, mail: &OutboxEmail) -> Result<Prepared> {
    let now = app.clock.now();
    if user.is_disabled(now) {
        return Ok(Prepared::Dropped("account_disabled"));
    }
    let lapses_at = now.plus(app.config.unconfirmed_life);
    let contested = app.store().contest(user, mail, lapses_at, &contested(user, now), now).await?;
    if contested.is_some() {
        Event::UserContested { user: user.id }.record();
    } else if !may_go_out(app, user, EmailThrottle::Registration, mail).await? {
        return Ok(Prepared::Dropped("asked_too_often"));
    }
    let user = contested.as_ref().unwrap_or(user);
    let (to, name) = (user.email.clone(), user.name.as_str());
    if user.email_confirmed {
        return ready(app, to, &Message::AlreadyRegistered { name, sign_in: &app.config.mail.home_url });
    }
    let link = reset_link(app, user).await?;
    let valid_minutes = minutes(RESET_LIFE);
    ready(app, to, &Message::AlreadyRegisteredUnconfirmed { name, link: &link, valid_minutes })
}

/// Sessions exist only if a plain link confirmed the address after the claim.
fn contested(user: &User, now: Timestamp) -> Vec<DomainEvent> {
    let changed = Changes { contested: Some(true), ..Changes::default() };
    let ended = EventKind::SessionsEnded { except: None, reason: SessionsEnd::Contested };
    let ended = user.email_confirmed.then_some(ended);
    DomainEvent::of_user(user.id, &Actor::SYSTEM, [EventKind::Updated { changed }].into_iter().chain(ended), now)
}

fn new_sign_in(
    app: &App,
    user: &User,
    client: UserAgentFingerprint,
    source_ip: Option<&str>,
    at: Timestamp,
) -> Result<Prepared> {
    let (client, at) = (client.to_string(), at.rfc3339());
    let message = Message::NewSignIn { name: user.name.as_str(), client: &client, source_ip, at: &at };
    ready(app, user.email.clone(), &message)
}

/// The recipient of the email chooses the password, which proves ownership of the address.
async fn reset_link(app: &App, user: &User) -> Result<String> {
    let purpose = LinkPurpose::ResetPassword { email: user.email.clone(), epoch: user.session_epoch };
    link(app, user, "/auth/password/reset", purpose, from_now(app, RESET_LIFE)).await
}

/// Creates a link now, at sending: its secret is never stored, and its lifetime starts when the email is sent. Its host is from the
/// configuration, never from a request.
async fn link(app: &App, user: &User, path: &str, purpose: LinkPurpose, expires_at: Timestamp) -> Result<String> {
    let token = LinkToken::new(user.id);
    let link = Link { purpose, expires_at, used_at: None, epoch: user.session_epoch };
    app.store().put_link(user.id, &token.hash(), &link).await?;
    let base = &app.config.mail.link_base_url;
    Ok(format!("{base}{BASE_PATH}{path}?token={}", token.encode().expose_secret()))
}

fn from_now(app: &App, life: Duration) -> Timestamp {
    app.clock.now().plus(life)
}

fn hours(life: Duration) -> u32 {
    minutes(life) / 60
}

fn minutes(life: Duration) -> u32 {
    u32::try_from(life.as_secs() / 60).unwrap_or(u32::MAX)
}

fn ready(app: &App, to: EmailAddress, message: &Message<'_>) -> Result<Prepared> {
    let mail = &app.config.mail;
    let brand = Brand {
        product_name: mail.product_name.clone(),
        support_address: mail.support_address.as_ref().map(ToString::to_string),
        home_url: mail.home_url.clone(),
    };
    let rendered = render(Language::English, &brand, message).map_err(Error::internal)?;
    Ok(Prepared::Ready { to, rendered })
}

/// The response of SES to an email.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sent {
    Taken {
        message_id: String,
    },
    /// It can never be sent.
    Refused,
}

/// Only one error is final. `BadRequestException` means that the request is malformed; sender, reply-to address and content are
/// checked at the start, so it can only be about the recipient. After any other error the email stays in the outbox: an unverified
/// sender or a region in the sandbox results in `MessageRejected`, as if the email itself were invalid. The sweeper gives up after
/// a day.
async fn send(app: &App, to: &EmailAddress, rendered: Rendered) -> Result<Sent> {
    let content = |data: String| Content::builder().data(data).charset("UTF-8").build().map_err(Error::internal);
    let body = Body::builder().text(content(rendered.text)?).html(content(rendered.html)?).build();
    let message = SesMessage::builder().subject(content(rendered.subject)?).body(body).build();
    let mail = &app.config.mail;
    let from = header::address(&mail.from).map_err(Error::internal)?;
    let reply_to = mail.reply_to.as_ref().map(header::address).transpose().map_err(Error::internal)?;
    let sent = app
        .ses()
        .send_email()
        .from_email_address(from)
        .set_reply_to_addresses(reply_to.map(|reply_to| vec![reply_to]))
        .set_configuration_set_name(mail.configuration_set.clone())
        .destination(Destination::builder().to_addresses(to.for_sending()).build())
        .content(EmailContent::builder().simple(message).build())
        .send()
        .await;
    let error = match sent {
        Ok(answer) => return Ok(Sent::Taken { message_id: answer.message_id.unwrap_or_default() }),
        Err(error) => error,
    };
    if error.as_service_error().is_some_and(SendEmailError::is_bad_request_exception) {
        return Ok(Sent::Refused);
    }
    // Only the code: the message may contain addresses, which must not be logged.
    let code = error.code().unwrap_or("no response");
    Err(Error::internal(format!("SES rejected the email: {code}")))
}
