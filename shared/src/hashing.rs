//! Hashing of passwords with argon2id, off the async threads and never more at once than there are cores.

use std::sync::Arc;

use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::Semaphore;

use crate::config;
use crate::domain::password::{NewPassword, Password};
use crate::error::{Error, Result};
use crate::random;

/// A stored hash: a PHC string of argon2id, which names its own cost.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(SecretString);

impl Serialize for PasswordHash {
    /// Into the store, the one place it is written to.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

/// What came of comparing a password with a stored hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and the hash was made at a cost other than today's: replace it.
    RightButOutdated,
}

#[derive(Debug, Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    /// What an unknown address is compared with, so that it takes as long as a known one. No password has this hash.
    nobody: PasswordHash,
    permits: Arc<Semaphore>,
}

impl Hasher {
    /// # Errors
    /// When argon2 does not take the configured cost.
    pub fn new(cost: &config::PasswordHash) -> std::result::Result<Self, argon2::Error> {
        let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None)?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            nobody: hash_of_nobody(&params)?,
            argon2: Argon2::from(params),
            permits: Arc::new(Semaphore::new(cores)),
        })
    }

    /// # Errors
    /// Only when the machine has no memory or the runtime is shutting down.
    pub async fn hash(&self, password: &NewPassword) -> Result<PasswordHash> {
        let (argon2, password) = (self.argon2.clone(), password.password().clone());
        self.off_thread(move || hash(&argon2, &password)).await?
    }

    /// Compares `password` with `stored`, or with nobody's hash when there is none: the answer is `Wrong` then,
    /// after the same work.
    ///
    /// # Errors
    /// When the stored hash is not a PHC string, or as [`Self::hash`].
    pub async fn verify(&self, password: &Password, stored: Option<&PasswordHash>) -> Result<Verdict> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.nobody).clone();
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let verdict = self.off_thread(move || verify(&argon2, &password, &stored)).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    /// The cost of one verification alone, for measuring; everything else a login does is compared with it.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_blocking(&self, password: &Password, stored: &PasswordHash) -> Result<Verdict> {
        verify(&self.argon2, password, stored)
    }

    async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(Error::internal)
    }
}

fn hash(argon2: &Argon2<'_>, password: &Password) -> Result<PasswordHash> {
    let hash: phc::PasswordHash =
        argon2.hash_password_with_salt(password.as_bytes(), &random::bytes::<16>()).map_err(Error::internal)?;
    Ok(PasswordHash(hash.to_string().into()))
}

fn verify(argon2: &Argon2<'_>, password: &Password, stored: &PasswordHash) -> Result<Verdict> {
    let stored = phc::PasswordHash::new(stored.0.expose_secret()).map_err(Error::internal)?;
    match argon2.verify_password(password.as_bytes(), &stored) {
        Ok(()) => {}
        Err(argon2::password_hash::Error::PasswordInvalid) => return Ok(Verdict::Wrong),
        Err(other) => return Err(Error::internal(other)),
    }
    let today = ParamsString::try_from(argon2.params()).map_err(Error::internal)?;
    Ok(if stored.params == today { Verdict::Right } else { Verdict::RightButOutdated })
}

/// Today's cost with a random salt and a random output: made without hashing, so it costs a cold start nothing.
fn hash_of_nobody(params: &Params) -> std::result::Result<PasswordHash, argon2::Error> {
    let broken = |_| argon2::Error::OutputTooShort;
    let hash = phc::PasswordHash {
        algorithm: argon2::ARGON2ID_IDENT,
        version: Some(argon2::Version::default().into()),
        params: ParamsString::try_from(params).map_err(broken)?,
        salt: Some(Salt::new(&random::bytes::<16>()).map_err(|_| argon2::Error::SaltTooShort)?),
        hash: Some(Output::new(&random::bytes::<32>()).map_err(|_| argon2::Error::OutputTooShort)?),
    };
    Ok(PasswordHash(hash.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(iterations: u32) -> Hasher {
        Hasher::new(&config::PasswordHash { memory_kib: 64, iterations, parallelism: 1 }).unwrap()
    }

    fn new_password(text: &str) -> NewPassword {
        NewPassword::parse(&text.into(), None, None).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_in_any_unicode_form_is_right_and_another_is_wrong() {
        let hasher = hasher(1);
        let hash = hasher.hash(&new_password("café crème")).await.unwrap();
        let verify = async |text: &str| hasher.verify(&Password::new(&text.into()), Some(&hash)).await.unwrap();
        assert_eq!(verify("cafe\u{301} cre\u{300}me").await, Verdict::Right);
        assert_eq!(verify("cafe creme").await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_right_but_outdated() {
        let hash = hasher(1).hash(&new_password("correct horse")).await.unwrap();
        let verdict = hasher(2).verify(&Password::new(&"correct horse".into()), Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::RightButOutdated);
    }

    #[tokio::test]
    async fn nobodys_password_is_never_right() {
        let verdict = hasher(1).verify(&Password::new(&"".into()), None).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_does_not_print_and_names_its_cost() {
        let hash = hasher(1).hash(&new_password("correct horse")).await.unwrap();
        assert!(hash.0.expose_secret().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert!(!format!("{hash:?}").contains("argon2"));
    }
}
