//! Hashing of passwords with argon2id, off the async threads and never more at once than there are cores.

use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use foreign_hashes::ForeignHash;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::config::HashCost;
use crate::domain::imported::{ImportedPassword, PasswordKind};
use crate::domain::password::{HashParameters, NewPassword, Password, PasswordHash};
use crate::error::{Error, Result};
use crate::random;

/// A hash with the given cost that matches no password: salt and output are random. Comparing a password with it takes as long
/// as with any other. For an account whose password is not trusted, until its owner chooses another.
///
/// # Errors
/// When argon2 rejects the cost.
pub fn unusable(cost: &HashCost) -> Result<PasswordHash> {
    let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None).map_err(Error::internal)?;
    hash_with_output(&params, &random::bytes(), &random::bytes()).map_err(Error::internal)
}

/// Whether a text is a hash that this service can verify: argon2id, with a cost that a function has enough memory for.
#[must_use]
pub fn is_own(hash: &PasswordHash) -> bool {
    let Ok(phc) = parse(hash) else { return false };
    let fits = |params: Params| params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= 16;
    phc.algorithm == ARGON2ID_IDENT
        && phc.salt.is_some()
        && phc.hash.is_some()
        && Params::try_from(&phc).is_ok_and(fits)
}

/// The limit for a hash from an export.
const MAX_MEMORY_KIB: u32 = 256 * 1024;

/// A password and its output, computed before the stored hash to compare it with was read.
pub struct Computed {
    password: Password,
    parameters: HashParameters,
    output: Output,
}

/// The result of comparing a password with a stored hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, but the hash has a cost other than the current one: replace it.
    RightButOutdated,
}

#[derive(Debug, Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    /// The dummy hash for unknown addresses, so that they take as long as known ones. It matches no password.
    nobody: PasswordHash,
    /// The maximum number of concurrent hashes, which is the number of permits.
    at_once: u32,
    permits: Arc<Semaphore>,
    /// Unused working memory of argon2. Fresh memory from the system costs a page fault for every 4 KiB, which together take half
    /// as long as the hash itself; so it is kept, never more than there are permits.
    ///
    /// It contains data derived from the last password until the next one overwrites it. An attacker who can read this process's
    /// memory can read passwords as they arrive, so wiping it would cost each sign-in a millisecond and protect nothing.
    idle_memory: Arc<Mutex<Vec<Memory>>>,
}

type Memory = Vec<Block>;

impl Hasher {
    /// # Errors
    /// When argon2 rejects the configured cost.
    pub fn new(cost: &HashCost) -> std::result::Result<Self, argon2::Error> {
        let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None)?;
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let at_once = u32::try_from(cores).unwrap_or(u32::MAX);
        Ok(Self {
            nobody: hash_of_nobody(&params)?,
            argon2: Argon2::from(params),
            at_once,
            permits: Arc::new(Semaphore::new(cores)),
            idle_memory: Arc::default(),
        })
    }

    /// # Errors
    /// Only when the machine is out of memory or the runtime is shutting down.
    pub async fn hash(&self, password: &NewPassword) -> Result<PasswordHash> {
        let (argon2, password) = (self.argon2.clone(), password.password().clone());
        self.off_thread(move |memory| hash(&argon2, &password, memory)).await?
    }

    /// Compares `password` with `stored`, or with the dummy hash if there is none: the result is then `Wrong`, after the same
    /// work.
    ///
    /// # Errors
    /// When the stored hash is not a PHC string, or as [`Self::hash`].
    pub async fn verify(&self, password: &Password, stored: Option<&PasswordHash>) -> Result<Verdict> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.nobody).clone();
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let verdict = self.off_thread(move |memory| verify(&argon2, &password, &stored, memory)).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    /// The work of [`Self::verify`] for a hash that is not read yet, but whose parameters are known. Without parameters, those of
    /// the dummy hash are used.
    ///
    /// # Errors
    /// When the parameters are not a PHC string, or as [`Self::hash`].
    pub async fn compute(&self, password: &Password, parameters: Option<HashParameters>) -> Result<Computed> {
        let parameters = parameters
            .or_else(|| self.nobody.parameters())
            .ok_or_else(|| Error::internal("the reference hash has no parameters"))?;
        let password = password.clone();
        self.off_thread(move |memory| {
            let phc = phc::PasswordHash::new(parameters.as_str()).map_err(Error::internal)?;
            let output = output_like(&phc, password.as_bytes(), memory)?;
            Ok(Computed { password, parameters, output })
        })
        .await?
    }

    /// The result of [`Self::verify`], without its work if `stored` has the parameters that were computed with.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn verify_computed(&self, computed: &Computed, stored: Option<&PasswordHash>) -> Result<Verdict> {
        let Some(stored) = stored else { return Ok(Verdict::Wrong) };
        let phc = parse(stored)?;
        // The output length is not a parameter of a PHC string, but it is one of argon2.
        let alike = phc.hash.as_ref().is_some_and(|expected| expected.len() == computed.output.len());
        if alike && stored.parameters().as_ref() == Some(&computed.parameters) {
            return verdict(&self.argon2, &phc, &computed.output);
        }
        self.verify(&computed.password, Some(stored)).await
    }

    /// Compares `password` with an imported one. A match is always outdated: a hash of this service replaces it.
    ///
    /// # Errors
    /// When only another system can check it; when the stored hash is corrupt; or as [`Self::hash`].
    pub async fn verify_imported(&self, password: &Password, imported: ImportedPassword) -> Result<Verdict> {
        let (argon2, password) = (self.argon2.clone(), password.clone());
        self.off_thread(move |memory| match imported {
            ImportedPassword::Hash(hash) => Ok(outdated(hash.verify(password.typed()))),
            ImportedPassword::Wrapped { recipe, phc } => {
                let phc = PasswordHash::new(phc);
                // It contains its own cost, which may be anything.
                if !is_own(&phc) {
                    return Err(Error::internal("a wrapped hash was not made by this service"));
                }
                let phc = parse(&phc)?;
                // A password that the other system would have rejected takes as long.
                let derived = recipe.derive(password.typed());
                let output = output_like(&phc, derived.as_deref().map_or(&[], Vec::as_slice), memory)?;
                Ok(outdated(verdict(&argon2, &phc, &output)? != Verdict::Wrong && derived.is_some()))
            }
            ImportedPassword::Elsewhere(_) => {
                Err(Error::internal("this password can only be checked by the former system"))
            }
        })
        .await?
    }

    /// Takes as long as [`Self::verify_imported`] for an imported hash of this kind, without comparing anything.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub async fn spend(&self, password: &Password, kind: PasswordKind) -> Result<()> {
        let imported = match kind {
            PasswordKind::Foreign(class) => ImportedPassword::Hash(class.dummy()),
            PasswordKind::Wrapped(class) => ImportedPassword::Wrapped {
                recipe: class.dummy().recipe().clone(),
                phc: self.nobody.expose().to_owned(),
            },
            PasswordKind::Own | PasswordKind::Cognito { .. } | PasswordKind::Endpoint => {
                return self.verify(password, None).await.map(|_| ());
            }
        };
        self.verify_imported(password, imported).await.map(|_| ())
    }

    /// Wraps a weak hash of another system: hashes it again with the current cost.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub async fn wrap(&self, weak: ForeignHash) -> Result<ImportedPassword> {
        let argon2 = self.argon2.clone();
        self.off_thread(move |memory| {
            let phc = hash_bytes(&argon2, weak.expected(), memory)?.expose().to_owned();
            Ok(ImportedPassword::Wrapped { recipe: weak.recipe().clone(), phc })
        })
        .await?
    }

    /// Only a verification, for benchmarks; the rest of a sign-in is compared with it.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_blocking(&self, password: &Password, stored: &PasswordHash) -> Result<Verdict> {
        with_memory(&self.idle_memory, |memory| verify(&self.argon2, password, stored, memory))
    }

    /// Starts to prepare the memory for one hash, which takes half as long as the hash, so that the first hash waits less. A
    /// concurrent hash waits, otherwise it would allocate as much again. A failure is left for the first hash to report.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn prepare(&self) {
        // Hashes that are already running have their memory.
        let Ok(permits) = Arc::clone(&self.permits).try_acquire_many_owned(self.at_once) else { return };
        let blocks = self.argon2.params().block_count();
        self.spawn(permits, move |memory| grow(memory, blocks));
    }

    async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce(&mut Memory) -> T + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(Error::internal)?;
        self.spawn(permit, work).await.map_err(Error::internal)
    }

    fn spawn<T: Send + 'static>(
        &self,
        permits: OwnedSemaphorePermit,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let idle = Arc::clone(&self.idle_memory);
        tokio::task::spawn_blocking(move || {
            let _permits = permits;
            give_way();
            with_memory(&idle, work)
        })
    }
}

/// Where all processors hash, other requests would wait for a hash or two: on Linux they go before it. The thread stays as it is,
/// since only a privileged one can take this back; it may serve other blocking work later.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// A third of the share of a thread that serves requests (<https://man7.org/linux/man-pages/man7/sched.7.html>).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

fn with_memory<T>(idle: &Mutex<Vec<Memory>>, work: impl FnOnce(&mut Memory) -> T) -> T {
    let lock = || idle.lock().unwrap_or_else(PoisonError::into_inner);
    let mut memory = lock().pop().unwrap_or_default();
    let done = work(&mut memory);
    lock().push(memory);
    done
}

/// The verdict for an imported hash.
const fn outdated(right: bool) -> Verdict {
    if right { Verdict::RightButOutdated } else { Verdict::Wrong }
}

fn hash(argon2: &Argon2<'_>, password: &Password, memory: &mut Memory) -> Result<PasswordHash> {
    hash_bytes(argon2, password.as_bytes(), memory)
}

fn hash_bytes(argon2: &Argon2<'_>, password: &[u8], memory: &mut Memory) -> Result<PasswordHash> {
    let salt = random::bytes::<16>();
    let hash = phc::PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).map_err(Error::internal)?,
        hash: Some(output(argon2, password, &salt, memory)?),
        salt: Some(Salt::new(&salt).map_err(Error::internal)?),
    };
    Ok(PasswordHash::new(hash.to_string()))
}

fn verify(argon2: &Argon2<'_>, password: &Password, stored: &PasswordHash, memory: &mut Memory) -> Result<Verdict> {
    let stored = parse(stored)?;
    verdict(argon2, &stored, &output_like(&stored, password.as_bytes(), memory)?)
}

fn parse(stored: &PasswordHash) -> Result<phc::PasswordHash> {
    phc::PasswordHash::new(stored.expose()).map_err(Error::internal)
}

/// The output for a password with the parameters of `phc`.
fn output_like(phc: &phc::PasswordHash, password: &[u8], memory: &mut Memory) -> Result<Output> {
    let salt = phc.salt.as_ref().ok_or_else(|| Error::internal("a stored hash has no salt"))?;
    let algorithm = Algorithm::try_from(phc.algorithm.as_str()).map_err(Error::internal)?;
    let version = phc.version.map_or(Ok(Version::default()), Version::try_from).map_err(Error::internal)?;
    let params = Params::try_from(phc).map_err(Error::internal)?;
    output(&Argon2::new(algorithm, version, params), password, salt, memory)
}

fn verdict(argon2: &Argon2<'_>, stored: &phc::PasswordHash, output: &Output) -> Result<Verdict> {
    let expected = stored.hash.as_ref().ok_or_else(|| Error::internal("a stored hash has no output"))?;
    // Outputs are compared in constant time.
    if output != expected {
        return Ok(Verdict::Wrong);
    }
    let params = argon2.params();
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let today = ParamsString::try_from(params).map_err(Error::internal)?;
    Ok(if stored.params == today && expected.len() == length { Verdict::Right } else { Verdict::RightButOutdated })
}

fn output(argon2: &Argon2<'_>, password: &[u8], salt: &[u8], memory: &mut Memory) -> Result<Output> {
    grow(memory, argon2.params().block_count())?;
    let length = argon2.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let mut buffer = [0; Output::MAX_LENGTH];
    let out = buffer.get_mut(..length).ok_or_else(|| Error::internal("a stored hash is too long"))?;
    argon2.hash_password_into_with_memory(password, salt, out, memory).map_err(Error::internal)?;
    Output::new(out).map_err(Error::internal)
}

/// Grows the memory to that many blocks, if there are fewer.
fn grow(memory: &mut Memory, blocks: usize) -> Result<()> {
    let missing = blocks.saturating_sub(memory.len());
    memory.try_reserve_exact(missing).map_err(Error::internal)?;
    memory.resize(memory.len() + missing, Block::default());
    Ok(())
}

/// The dummy hash: the current cost with a salt and an output of zeros. It needs neither hashing nor randomness, whose source
/// takes tens of milliseconds for its first output, so it costs a cold start nothing. Finding a password for it is as hard as for
/// any other hash, and [`Hasher::verify`] would return `Wrong`.
fn hash_of_nobody(params: &Params) -> std::result::Result<PasswordHash, argon2::Error> {
    hash_with_output(params, &[0; 16], &[0; 32])
}

fn hash_with_output(
    params: &Params,
    salt: &[u8; 16],
    output: &[u8; 32],
) -> std::result::Result<PasswordHash, argon2::Error> {
    let broken = |_| argon2::Error::OutputTooShort;
    let hash = phc::PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::default().into()),
        params: ParamsString::try_from(params).map_err(broken)?,
        salt: Some(Salt::new(salt).map_err(|_| argon2::Error::SaltTooShort)?),
        hash: Some(Output::new(output).map_err(|_| argon2::Error::OutputTooShort)?),
    };
    Ok(PasswordHash::new(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::domain::password::{Known, MinLength};

    fn hasher(iterations: u32) -> Hasher {
        Hasher::new(&HashCost { memory_kib: 64, iterations, parallelism: 1 }).unwrap()
    }

    fn new_password(text: &str) -> NewPassword {
        NewPassword::parse(&text.into(), MinLength::default(), Known::default()).unwrap()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashing_gives_way_to_requests() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = niceness();
        assert!(hasher(1).off_thread(move |_| niceness()).await.unwrap() >= NICENESS);
        assert_eq!(niceness(), before);
    }

    #[tokio::test]
    async fn a_password_is_right_in_any_unicode_form_and_another_is_wrong() {
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
    async fn what_was_computed_beforehand_says_what_a_comparison_says() {
        let hasher = hasher(1);
        let hash = async || hasher.hash(&new_password("correct horse")).await.unwrap();
        let (stored, replaced) = (hash().await, hash().await);
        // As another program may have made it.
        let long = Params::new(64, 1, 1, Some(64)).unwrap();
        let long =
            super::hash(&Argon2::from(long), &Password::new(&"correct horse".into()), &mut Memory::new()).unwrap();
        for (password, parameters, stored, verdict, at_once) in [
            ("correct horse", Some(&stored), Some(&stored), Verdict::Right, true),
            ("incorrect horse", Some(&stored), Some(&stored), Verdict::Wrong, true),
            ("correct horse", Some(&replaced), Some(&stored), Verdict::Right, false),
            ("incorrect horse", Some(&replaced), Some(&stored), Verdict::Wrong, false),
            ("correct horse", Some(&long), Some(&long), Verdict::RightButOutdated, false),
            ("incorrect horse", Some(&long), Some(&long), Verdict::Wrong, false),
            ("correct horse", None, Some(&stored), Verdict::Right, false),
            ("correct horse", Some(&stored), None, Verdict::Wrong, true),
            ("correct horse", None, None, Verdict::Wrong, true),
        ] {
            let password = Password::new(&password.into());
            let computed = hasher.compute(&password, parameters.and_then(PasswordHash::parameters)).await.unwrap();
            // While no hash can begin, only what needs none has an answer.
            let permits = hasher.permits.acquire_many(hasher.at_once).await.unwrap();
            let said = hasher.verify_computed(&computed, stored).now_or_never();
            assert_eq!(said.map(Result::unwrap), at_once.then_some(verdict));
            drop(permits);
            assert_eq!(hasher.verify_computed(&computed, stored).await.unwrap(), verdict);
        }
    }

    /// From the reference implementation's own tests
    /// (<https://github.com/P-H-C/phc-winner-argon2/blob/master/src/test.c>).
    #[tokio::test]
    async fn a_hash_of_the_reference_implementation_verifies_whatever_memory_is_reused() {
        let hasher = hasher(1);
        let reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let reference = PasswordHash::new(reference.to_owned());
        let small = hasher.hash(&new_password("correct horse")).await.unwrap();
        for (password, stored, verdict) in [
            ("password", &reference, Verdict::RightButOutdated),
            ("correct horse", &small, Verdict::Right),
            ("Password", &reference, Verdict::Wrong),
            ("incorrect horse", &small, Verdict::Wrong),
        ] {
            assert_eq!(
                hasher.verify(&Password::new(&password.into()), Some(stored)).await.unwrap(),
                verdict,
                "{password}"
            );
        }
    }

    #[tokio::test]
    async fn the_first_hash_waits_for_the_prepared_memory_and_uses_it() {
        let hasher = hasher(1);
        let ready = |hasher: &Hasher| {
            hasher.idle_memory.lock().unwrap().iter().map(|memory| (memory.as_ptr(), memory.len())).collect::<Vec<_>>()
        };
        // Held here, so that the memory is not ready before the permits are counted.
        let idle = Arc::clone(&hasher.idle_memory);
        let held = idle.lock().unwrap();
        hasher.prepare();
        assert_eq!(hasher.permits.available_permits(), 0, "no hash starts concurrently");
        drop(held);
        hasher.hash(&new_password("correct horse")).await.unwrap();
        assert!(matches!(ready(&hasher)[..], [(_, 64)]));

        let before = ready(&hasher);
        hasher.prepare();
        hasher.hash(&new_password("correct horse")).await.unwrap();
        assert_eq!(ready(&hasher), before);
    }

    #[tokio::test]
    async fn a_password_without_an_account_is_never_right() {
        let verdict = hasher(1).verify(&Password::new(&"".into()), None).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_does_not_print_and_names_its_cost() {
        let hash = hasher(1).hash(&new_password("correct horse")).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert!(!format!("{hash:?}").contains("argon2"));
    }
}
