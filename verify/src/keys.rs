//! The keys as they are held: fetched once, looked at again when they are old or when a token names one that is not there.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};

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
    longest_stale: Duration,
    state: Arc<State>,
}

/// What an attempt to fetch leaves behind. The attempt holds it too, as it may outlast the caller who began it.
struct State {
    allowed: Vec<Algorithm>,
    loaded: RwLock<Option<Arc<Loaded>>>,
    attempts: Mutex<Attempts>,
}

struct Loaded {
    keys: ByKid,
    at: SystemTime,
    fresh_for: Duration,
}

/// The outcome of one attempt, for everyone who waits for it.
type Outcome = Result<(), Arc<FetchError>>;
type Attempt = Pin<Box<dyn Future<Output = Outcome> + Send>>;

#[derive(Default)]
struct Attempts {
    /// When the last one began; its end, once it has ended.
    last: Option<SystemTime>,
    /// Why the last one gave no keys.
    failure: Option<Arc<FetchError>>,
    /// The one that is under way. Its callers drive it, any of them; it is gone when all of them have gone.
    running: Option<WeakShared<Attempt>>,
}

impl Keys {
    pub fn new(fetch: Fetch, clock: Clock, allowed: Vec<Algorithm>, longest_stale: Duration) -> Self {
        let state = State { allowed, loaded: RwLock::default(), attempts: Mutex::default() };
        Self { fetch, clock, longest_stale, state: Arc::new(state) }
    }

    pub fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// The key with this id; `None` when none is published.
    ///
    /// There is one attempt to fetch at a time. Those who have no key to go on with wait for it together, and share its
    /// failure: an endpoint that hangs holds each of them up once.
    pub async fn find(&self, kid: &str) -> Result<Option<Arc<Key>>, Error> {
        if let Some(key) = self.fresh(kid) {
            return Ok(Some(key));
        }
        let usable = self.usable(kid);
        let attempt = {
            let mut attempts = self.state.attempts();
            match attempts.running.as_ref().and_then(WeakShared::upgrade) {
                Some(_) if usable.is_some() => return Ok(usable),
                Some(running) => Ok(running),
                // Another may have loaded the key since it was looked for.
                None if self.fresh(kid).is_none() && self.may_fetch(&attempts) => Ok(self.begin(&mut attempts)),
                None => Err(attempts.failure.clone()),
            }
        };
        let failure = match attempt {
            Ok(attempt) => attempt.await.err(),
            Err(last) => last,
        };
        match (self.usable(kid), failure) {
            (Some(key), _) => Ok(Some(key)),
            (None, Some(failure)) => Err(Error::KeysUnavailable(failure)),
            (None, None) => Ok(None),
        }
    }

    fn may_fetch(&self, attempts: &Attempts) -> bool {
        let between = if self.held().is_some() { BETWEEN_FETCHES } else { BETWEEN_FIRST_FETCHES };
        attempts.last.is_none_or(|last| age(last, self.now()) >= between)
    }

    fn begin(&self, attempts: &mut Attempts) -> Shared<Attempt> {
        let began = self.now();
        let (fetch, clock, state) = (Arc::clone(&self.fetch), Arc::clone(&self.clock), Arc::clone(&self.state));
        let attempt = async move {
            let loaded = state.load(&fetch, began).await;
            state.finish(loaded, clock())
        };
        let attempt = (Box::pin(attempt) as Attempt).shared();
        // Noted before: callers who all hang up in between must not make the next one fetch at once.
        *attempts = Attempts {
            last: Some(began),
            failure: Some(Arc::new(FetchError::Interrupted)),
            running: attempt.downgrade(),
        };
        attempt
    }

    fn held(&self) -> Option<Arc<Loaded>> {
        self.state.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
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

impl State {
    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self, fetch: &Fetch, began: SystemTime) -> Result<Loaded, FetchError> {
        let fetched = fetch().await?;
        if fetched.body.len() > LARGEST_KEY_SET {
            return Err(FetchError::TooLarge);
        }
        let keys = jwk::parse(&fetched.body, &self.allowed)?;
        let fresh_for = fetched.max_age.unwrap_or(FRESH).clamp(SHORTEST_FRESH, LONGEST_FRESH);
        Ok(Loaded { keys, at: began, fresh_for })
    }

    /// The wait for the next attempt begins now: one that took long must not be followed by another at once.
    fn finish(&self, loaded: Result<Loaded, FetchError>, now: SystemTime) -> Outcome {
        let outcome = loaded.map_err(Arc::new).map(|loaded| {
            *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(loaded));
        });
        let failure = outcome.as_ref().err().cloned();
        *self.attempts() = Attempts { last: Some(now), failure, running: None };
        outcome
    }
}

/// A time in the future, because the clock was set back, counts as infinitely long ago: better one fetch too many.
fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or(Duration::MAX)
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("allowed", &self.state.allowed).finish_non_exhaustive()
    }
}
