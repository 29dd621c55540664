//! The keys as they are held: fetched once, looked at again when they are old or when a token names one that is not there.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;

use crate::error::{Error, FetchError};
use crate::fetch::{Fetch, LARGEST_KEY_SET};
use crate::jwk::{self, Algorithm, ByKid, Key};

/// Keys are used this long at least without looking again, whatever the answer's `Cache-Control` says.
pub const SHORTEST_FRESH: Duration = Duration::from_mins(1);
/// And this long at most: so a withdrawn key is believed no longer, as long as the keys can be fetched.
pub const LONGEST_FRESH: Duration = Duration::from_mins(15);
/// What an answer that does not say lives.
const FRESH: Duration = Duration::from_mins(5);
/// How often the keys are fetched at most, whatever tokens come: a flood of made-up key ids must not become a flood of fetches.
const BETWEEN_FETCHES: Duration = Duration::from_secs(10);
/// As long as there are none, every token waits for them.
const BETWEEN_FIRST_FETCHES: Duration = Duration::from_secs(1);

pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

pub struct Keys {
    fetch: Fetch,
    clock: Clock,
    allowed: Vec<Algorithm>,
    longest_stale: Duration,
    loaded: RwLock<Option<Arc<Loaded>>>,
    /// Whoever holds it fetches.
    attempts: Mutex<Attempts>,
}

struct Loaded {
    keys: ByKid,
    at: SystemTime,
    fresh_for: Duration,
}

#[derive(Default)]
struct Attempts {
    last: Option<SystemTime>,
    /// Why the last one gave no keys.
    failure: Option<Arc<FetchError>>,
}

impl Keys {
    pub fn new(fetch: Fetch, clock: Clock, allowed: Vec<Algorithm>, longest_stale: Duration) -> Self {
        Self { fetch, clock, allowed, longest_stale, loaded: RwLock::default(), attempts: Mutex::default() }
    }

    pub fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// The key with this id; `None` when none is published.
    pub async fn find(&self, kid: &str) -> Result<Option<Arc<Key>>, Error> {
        if let Some(key) = self.fresh(kid) {
            return Ok(Some(key));
        }
        let mut attempts = match self.usable(kid) {
            // One fetches; whoever has a key to go on with does not wait for it.
            Some(key) => match self.attempts.try_lock() {
                Ok(attempts) => attempts,
                Err(_) => return Ok(Some(key)),
            },
            None => self.attempts.lock().await,
        };
        // Whoever waited finds what another fetched meanwhile.
        if self.fresh(kid).is_none() && self.may_fetch(&attempts) {
            self.load(&mut attempts).await;
        }
        match (self.usable(kid), &attempts.failure) {
            (Some(key), _) => Ok(Some(key)),
            (None, Some(failure)) => Err(Error::KeysUnavailable(Arc::clone(failure))),
            (None, None) => Ok(None),
        }
    }

    fn may_fetch(&self, attempts: &Attempts) -> bool {
        let between = if self.held().is_some() { BETWEEN_FETCHES } else { BETWEEN_FIRST_FETCHES };
        attempts.last.is_none_or(|last| age(last, self.now()) >= between)
    }

    async fn load(&self, attempts: &mut Attempts) {
        let now = self.now();
        // Noted before: a caller who hangs up in between must not make the next one fetch at once.
        *attempts = Attempts { last: Some(now), failure: Some(Arc::new(FetchError::Interrupted)) };
        let loaded = (self.fetch)().await.and_then(|fetched| {
            if fetched.body.len() > LARGEST_KEY_SET {
                return Err(FetchError::TooLarge);
            }
            let keys = jwk::parse(&fetched.body, &self.allowed)?;
            let fresh_for = fetched.max_age.unwrap_or(FRESH).clamp(SHORTEST_FRESH, LONGEST_FRESH);
            Ok(Loaded { keys, at: now, fresh_for })
        });
        attempts.failure = match loaded {
            Ok(loaded) => {
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(loaded));
                None
            }
            Err(failure) => Some(Arc::new(failure)),
        };
    }

    fn held(&self) -> Option<Arc<Loaded>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self, kid: &str) -> Option<Arc<Key>> {
        self.younger_than(Duration::ZERO, kid)
    }

    /// Fresh, or old while no newer one can be had.
    fn usable(&self, kid: &str) -> Option<Arc<Key>> {
        self.younger_than(self.longest_stale, kid)
    }

    fn younger_than(&self, past_fresh: Duration, kid: &str) -> Option<Arc<Key>> {
        let loaded = self.held()?;
        let young = age(loaded.at, self.now()) < loaded.fresh_for.saturating_add(past_fresh);
        young.then(|| loaded.keys.get(kid).cloned()).flatten()
    }
}

/// A time that lies ahead, because the clock was set back, is infinitely long ago: better one fetch too many.
fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or(Duration::MAX)
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}
