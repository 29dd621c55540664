//! Makes an administrator: the first one of a stack, or one when none is left.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::App;
use shared::clock::Timestamp;
use shared::config::BASE_PATH;
use shared::domain::email::EmailAddress;
use shared::domain::event::{Actor, Changes, DomainEvent, EventKind, Snapshot};
use shared::domain::link::{Link, LinkPurpose, LinkToken, RESET_LIFE};
use shared::domain::name::UserName;
use shared::domain::role::Role;
use shared::domain::user::User;
use shared::hashing;
use shared::store::StaffAct;

use super::open;
use crate::args::{Change, Environment};
use crate::failure::{Failure, Result};
use crate::output::Output;

/// How often the account is read again after a concurrent change.
const TRIES: usize = 5;

/// What was found, and what was done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Created,
    RoleAdded,
    AlreadyAdmin,
    /// The person who registered the address may not be its owner, even if the owner clicked the confirmation link: they must not
    /// become an administrator.
    Unconfirmed,
}

/// Creates the account, or adds the role to that which has the address; then makes a link to choose the password, and prints
/// it: the only secret that is printed. It may be repeated.
///
/// # Errors
/// When the account is disabled or unconfirmed, or the tables cannot be read or written.
pub async fn create_admin(
    output: Output,
    email: &str,
    name: &str,
    environment: &Environment,
    change: Change,
) -> Result<()> {
    let app = open(environment).await?;
    let email = EmailAddress::parse(email).map_err(|invalid| Failure::Failed(invalid.to_string()))?;
    let name = UserName::parse(name).map_err(|invalid| Failure::Failed(invalid.to_string()))?;
    if change.dry_run {
        let found = find(&app, &email).await?;
        must_be_enabled(found.as_ref(), &app)?;
        let outcome = outcome_of(found.as_ref());
        let document = json!({ "dry_run": true, "email": email.as_str(), "status": outcome.status() });
        return output.tell(&document, |_| format!("{email}: {}; nothing was changed", outcome.ahead()));
    }
    let (outcome, user) = settle(&app, &email, &name).await?;
    let (link, expires_at) = password_link(&app, &user).await?;
    let document = json!({
        "status": outcome.status(),
        "id": user.id.to_string(),
        "email": email.as_str(),
        "link": link.expose_secret(),
        "expires_at": expires_at.rfc3339(),
    });
    output.tell(&document, |_| {
        let until = expires_at.rfc3339();
        format!("{email}: {}\nchoose the password until {until}:\n{}", outcome.done(), link.expose_secret())
    })?;
    if outcome == Outcome::Unconfirmed {
        let why = "it is not proved that the person who knows the account's password also reads its email: choose a new \
                   password with the link, and run this again";
        return Err(Failure::Failed(why.into()));
    }
    Ok(())
}

impl Outcome {
    const fn status(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::RoleAdded => "role_added",
            Self::AlreadyAdmin => "already_admin",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Created => "created as an administrator",
            Self::RoleAdded => "now an administrator",
            Self::AlreadyAdmin => "already an administrator",
            Self::Unconfirmed => "not an administrator yet",
        }
    }

    const fn ahead(self) -> &'static str {
        match self {
            Self::Created => "would be created as an administrator",
            Self::RoleAdded => "would become an administrator",
            Self::AlreadyAdmin => "is already an administrator",
            Self::Unconfirmed => "may belong to someone else, and would not become an administrator",
        }
    }
}

/// What has to be done about an account, if there is one.
fn outcome_of(user: Option<&User>) -> Outcome {
    match user {
        None => Outcome::Created,
        Some(user) if user.is_admin() => Outcome::AlreadyAdmin,
        Some(user) if user.email_confirmed && !user.has_doubted_password() => Outcome::RoleAdded,
        Some(_) => Outcome::Unconfirmed,
    }
}

fn must_be_enabled(user: Option<&User>, app: &App) -> Result<()> {
    match user.filter(|user| user.is_disabled(app.clock.now())) {
        Some(_) => {
            Err(Failure::Failed("the account is disabled: another administrator must run `users enable`".into()))
        }
        None => Ok(()),
    }
}

async fn find(app: &App, email: &EmailAddress) -> Result<Option<User>> {
    let Some(id) = app.store().owner_of(&email.normalized()).await? else { return Ok(None) };
    Ok(app.store().user(id).await?)
}

/// Does it, and reads the account again after a concurrent change.
async fn settle(app: &App, email: &EmailAddress, name: &UserName) -> Result<(Outcome, User)> {
    for _ in 0..TRIES {
        let (found, now) = (find(app, email).await?, app.clock.now());
        let outcome = outcome_of(found.as_ref());
        let Some(user) = found else {
            let user = administrator(app, email, name, now)?;
            if create(app, &user, now).await? {
                return Ok((outcome, user));
            }
            continue;
        };
        must_be_enabled(Some(&user), app)?;
        if outcome != Outcome::RoleAdded || add_role(app, &user, now).await? {
            return Ok((outcome, user));
        }
    }
    Err(Failure::Failed(
        "the address is reserved for an account that used it before, or kept changing concurrently".into(),
    ))
}

/// It is confirmed by choosing the password, and lapses like others if that is never done.
fn administrator(app: &App, email: &EmailAddress, name: &UserName, now: Timestamp) -> Result<User> {
    let user = User::new(name.clone(), email.clone(), hashing::unusable(&app.config.password_hash)?, now);
    let lapses_at = Some(now.plus(app.config.unconfirmed_life));
    Ok(User { roles: vec![Role::ADMIN, Role::USER], lapses_at, ..user })
}

async fn create(app: &App, user: &User, now: Timestamp) -> Result<bool> {
    let kind = EventKind::Created { user: Snapshot::from(user) };
    let events = DomainEvent::of_user(user.id, &Actor::SYSTEM, [kind], now);
    Ok(app.store().create_user_as_staff(&StaffAct { user, staff: None, mail: None, events: &events, now }).await?)
}

async fn add_role(app: &App, user: &User, now: Timestamp) -> Result<bool> {
    let mut roles: Vec<Role> = user.roles.iter().cloned().chain([Role::ADMIN]).collect();
    roles.sort_unstable();
    let changed = Changes { roles: Some(roles.clone()), ..Changes::default() };
    let events = DomainEvent::of_user(user.id, &Actor::SYSTEM, [EventKind::Updated { changed }], now);
    let act = StaffAct { user, staff: None, mail: None, events: &events, now };
    Ok(app.store().patch_user(&act, &User { roles, ..user.clone() }, &[], false).await?)
}

/// As the emailer makes one; here it is printed in the place of an email.
async fn password_link(app: &App, user: &User) -> Result<(SecretString, Timestamp)> {
    let now = app.clock.now();
    let (token, expires_at) = (LinkToken::new(user.id), now.plus(RESET_LIFE));
    // Whatever comes of the link, that there is one is told.
    let events = DomainEvent::of_user(user.id, &Actor::SYSTEM, [EventKind::PasswordResetSent {}], now);
    if !app.store().enqueue_for(&StaffAct { user, staff: None, mail: None, events: &events, now }).await? {
        return Err(Failure::Failed("the account changed concurrently: run this again".into()));
    }
    let purpose = LinkPurpose::ResetPassword { email: user.email.clone(), epoch: user.session_epoch };
    let link = Link { purpose, expires_at, used_at: None, epoch: user.session_epoch };
    app.store().put_link(user.id, &token.hash(), &link).await?;
    let base = &app.config.mail.link_base_url;
    let url = format!("{base}{BASE_PATH}/auth/password/reset?token={}", token.encode().expose_secret());
    Ok((url.into(), expires_at))
}
