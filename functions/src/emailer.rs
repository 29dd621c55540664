//! Sends the mails that are owed.
//!
//! Triggered by SQS; a message says where in the outbox a mail lies. The emailer claims it, sends it by SES and strikes
//! it off. A message that comes twice finds nothing to do; an emailer that dies in between leaves a claim that runs out.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message as SesMessage};
use secrecy::ExposeSecret;
use shared::config::CONFIRMATION_LIFE;
use shared::domain::email::EmailAddress;
use shared::domain::id::UserId;
use shared::domain::link::{Link, LinkPurpose, LinkToken};
use shared::domain::mail::{FactorChange, MailKind, OwedMail};
use shared::domain::user::User;
use shared::error::Causes;
use shared::http::BASE_PATH;
use shared::mail::{Brand, Language, Message, Rendered, render};
use shared::outbox::MailMessage;
use shared::store::Claim;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

/// Takes each message of a batch; those that failed are delivered again.
///
/// # Errors
/// Never: what fails is reported by message.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "emailer"))]
pub async fn handler(app: App, event: SqsEvent) -> Result<SqsBatchResponse> {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Err(error) = take(&app, &message).await {
            tracing::warn!(error.message = %Causes(&error), "a mail was not sent; it will be tried again");
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(response)
}

async fn take(app: &App, message: &SqsMessage) -> Result<()> {
    let message: MailMessage =
        serde_json::from_str(message.body.as_deref().unwrap_or_default()).map_err(Error::internal)?;
    match app.store.claim_mail(&message.address, message.mail, app.clock.now()).await? {
        Claim::Gone => Ok(()),
        Claim::Held => Err(Error::internal("another emailer holds the mail")),
        Claim::Taken(mail) => match deliver(app, &mail).await {
            Ok(()) => app.store.settle_mail(&mail).await,
            Err(error) => {
                app.store.release_mail(&mail).await?;
                Err(error)
            }
        },
    }
}

/// What a mail became.
enum Prepared {
    Ready {
        to: EmailAddress,
        rendered: Rendered,
    },
    /// Nothing has to be sent after all.
    Dropped(&'static str),
}

/// Sends the mail, or finds that it is not owed any more. `Ok` means that it may be struck off.
async fn deliver(app: &App, mail: &OwedMail) -> Result<()> {
    let kind = kind_name(&mail.kind);
    match prepare(app, mail).await? {
        Prepared::Dropped(reason) => {
            Event::MailDropped { kind, reason }.record();
            Ok(())
        }
        Prepared::Ready { to, rendered } => {
            send(app, &to, rendered).await?;
            Event::MailSent { kind }.record();
            Ok(())
        }
    }
}

async fn prepare(app: &App, mail: &OwedMail) -> Result<Prepared> {
    if let MailKind::AccountDeleted { to, name } = &mail.kind {
        return ready(app, to.clone(), &Message::AccountDeleted { name: name.as_str() });
    }
    if let MailKind::SecondFactorChanged { to, name, change } = &mail.kind {
        return ready(app, to.clone(), &Message::SecondFactorChanged { name: name.as_str(), change: *change });
    }
    let owner = app.store.owner_of(&mail.address).await?;
    let user = match owner {
        Some(owner) => app.store.user(owner).await?,
        None => None,
    };
    let Some(user) = user else {
        return Ok(Prepared::Dropped("no_account"));
    };
    match mail.kind {
        MailKind::ConfirmAddress { user: id } if id != user.id => Ok(Prepared::Dropped("no_account")),
        MailKind::ConfirmAddress { .. } | MailKind::ConfirmationRequested if user.email_confirmed => {
            Ok(Prepared::Dropped("already_confirmed"))
        }
        MailKind::ConfirmAddress { .. } => confirmation(app, &user).await,
        _ if app.config.limits.on && !app.store.take_mail_turn(user.id, mail, app.clock.now()).await? => {
            Ok(Prepared::Dropped("asked_too_often"))
        }
        MailKind::ConfirmationRequested => confirmation(app, &user).await,
        MailKind::AlreadyRegistered | MailKind::AccountDeleted { .. } | MailKind::SecondFactorChanged { .. } => {
            already_registered(app, &user).await
        }
    }
}

async fn confirmation(app: &App, user: &User) -> Result<Prepared> {
    let link = confirmation_link(app, user.id).await?;
    let message = Message::ConfirmAddress { name: user.name.as_str(), link: &link, valid_hours: valid_hours() };
    ready(app, user.email.clone(), &message)
}

async fn already_registered(app: &App, user: &User) -> Result<Prepared> {
    let confirm_link = if user.email_confirmed { None } else { Some(confirmation_link(app, user.id).await?) };
    let message = Message::AlreadyRegistered {
        name: user.name.as_str(),
        sign_in: &app.config.mail.home_url,
        confirm_link: confirm_link.as_deref(),
        valid_hours: valid_hours(),
    };
    ready(app, user.email.clone(), &message)
}

/// Makes a link now, at sending: its secret is never stored, and its 24 hours begin when the mail leaves.
async fn confirmation_link(app: &App, user: UserId) -> Result<String> {
    let token = LinkToken::new(user);
    let expires_at = app.clock.now().plus(CONFIRMATION_LIFE);
    let link = Link { purpose: LinkPurpose::ConfirmAddress, expires_at, used_at: None };
    app.store.put_link(user, &token.hash(), &link).await?;
    let base = &app.config.mail.link_base_url;
    Ok(format!("{base}{BASE_PATH}/auth/confirm?token={}", token.encode().expose_secret()))
}

fn valid_hours() -> u32 {
    u32::try_from(CONFIRMATION_LIFE.as_secs() / 3600).unwrap_or(u32::MAX)
}

fn ready(app: &App, to: EmailAddress, message: &Message<'_>) -> Result<Prepared> {
    let mail = &app.config.mail;
    let brand = Brand {
        product_name: mail.product_name.clone(),
        support_address: mail.support_address.clone(),
        home_url: mail.home_url.clone(),
    };
    let rendered = render(Language::English, &brand, message).map_err(Error::internal)?;
    Ok(Prepared::Ready { to, rendered })
}

/// Whatever SES says, the mail stays owed: a sender that is not verified yet or a region in the sandbox answer as if the
/// mail itself were wrong. The sweeper gives up after a day.
async fn send(app: &App, to: &EmailAddress, rendered: Rendered) -> Result<()> {
    let content = |data: String| Content::builder().data(data).charset("UTF-8").build().map_err(Error::internal);
    let body = Body::builder().text(content(rendered.text)?).html(content(rendered.html)?).build();
    let message = SesMessage::builder().subject(content(rendered.subject)?).body(body).build();
    let mail = &app.config.mail;
    let sent = app
        .ses()
        .send_email()
        .from_email_address(&mail.from)
        .set_reply_to_addresses(mail.reply_to.clone().map(|reply_to| vec![reply_to]))
        .set_configuration_set_name(mail.configuration_set.clone())
        .destination(Destination::builder().to_addresses(to.for_sending()).build())
        .content(EmailContent::builder().simple(message).build())
        .send()
        .await;
    sent.map(|_| ()).map_err(|error| {
        // Only the code: what SES says beside it may hold addresses, which no log is to have.
        let code = error.code().unwrap_or("no answer");
        Error::internal(format!("SES did not take the mail: {code}"))
    })
}

/// A mail's kind in the log.
#[must_use]
pub fn kind_name(kind: &MailKind) -> &'static str {
    match kind {
        MailKind::ConfirmAddress { .. } => "confirm_address",
        MailKind::ConfirmationRequested => "confirmation_requested",
        MailKind::AlreadyRegistered => "already_registered",
        MailKind::AccountDeleted { .. } => "account_deleted",
        MailKind::SecondFactorChanged { change: FactorChange::Added, .. } => "second_factor_added",
        MailKind::SecondFactorChanged { change: FactorChange::Removed, .. } => "second_factor_removed",
        MailKind::SecondFactorChanged { change: FactorChange::RecoveryCodeUsed(_), .. } => "recovery_code_used",
        MailKind::SecondFactorChanged { change: FactorChange::RecoveryCodesRenewed, .. } => "recovery_codes_renewed",
    }
}
