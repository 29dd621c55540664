//! Passwords that only a former system can verify: accounts imported without a hash. At a sign-in the former system is asked once;
//! a correct password is then hashed by this service, in the write that starts the session.

mod cognito;
mod endpoint;

use shared::domain::id::UserId;
use shared::domain::imported::{Elsewhere, ImportedPassword, PasswordKind};
use shared::domain::password::{Password, PasswordHash};
use shared::grant::Grants;
use shared::grants;
use shared::hashing::Verdict;
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};

/// [`verify`].
pub const VERIFY: Grants = grants![cognito::ASK, Keys::SIGN];

/// What another system said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Right,
    Wrong,
}

/// Compares a password with what is stored of an account's, wherever that leads.
///
/// # Errors
/// [`Error::TemporarilyUnavailable`] when another system has to be asked and does not answer; otherwise as
/// [`Hasher::verify`](shared::hashing::Hasher::verify).
pub async fn verify(app: &App, password: &Password, stored: &PasswordHash) -> Result<Verdict> {
    match ImportedPassword::of(stored).map_err(Error::internal)? {
        None => app.hasher.verify(password, Some(stored)).await,
        Some(ImportedPassword::Elsewhere(elsewhere)) => ask(app, &elsewhere, password).await,
        Some(imported) => app.hasher.verify_imported(password, imported).await,
    }
}

/// Takes as long as [`verify`] with a password of this kind, for an address that no account has. Another system is asked about a
/// user that it does not have.
///
/// # Errors
/// As [`verify`].
pub async fn spend(app: &App, password: &Password, kind: PasswordKind) -> Result<()> {
    let username = || UserId::new(app.clock.now()).to_string();
    let elsewhere = match kind {
        PasswordKind::Cognito { pool, client } => Elsewhere::Cognito { pool, client, username: username() },
        PasswordKind::Endpoint => Elsewhere::Endpoint { username: username() },
        kind => return app.hasher.spend(password, kind).await,
    };
    ask(app, &elsewhere, password).await.map(|_| ())
}

/// A system that is not, or no longer, configured is not asked: the owner can reset the password.
async fn ask(app: &App, elsewhere: &Elsewhere, password: &Password) -> Result<Verdict> {
    let legacy = &app.config.legacy;
    if legacy.until.is_none_or(|until| until < app.clock.now()) {
        return Ok(Verdict::Wrong);
    }
    let answer = match elsewhere {
        Elsewhere::Cognito { pool, client, username } if legacy.user_pool.as_ref() == Some(pool) => {
            cognito::ask(app, pool, client, username, password).await?
        }
        Elsewhere::Endpoint { username } => match &legacy.password_url {
            Some(url) => endpoint::ask(app, url, username, password).await?,
            None => Answer::Wrong,
        },
        Elsewhere::Cognito { .. } => Answer::Wrong,
    };
    Ok(match answer {
        Answer::Right => Verdict::RightButOutdated,
        Answer::Wrong => Verdict::Wrong,
    })
}
