//! The verifier: configured once, shared by all requests.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Validation;
use jsonwebtoken::errors::ErrorKind;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::claims::Claims;
use crate::error::{BuildError, Error, FetchError, Invalid};
use crate::fetch::{Fetch, Fetched};
use crate::jwk::Algorithm;
use crate::keys::{Clock, Keys};

/// The media type of access tokens, with or without `application/` (RFC 9068, 4).
const TYPES: [&str; 2] = ["at+jwt", "application/at+jwt"];
/// The service's tokens have about 700 bytes; longer ones than this are not looked at.
const LONGEST_TOKEN: usize = 8 * 1024;
/// Clocks of machines that are kept in time differ by less.
const LEEWAY: Duration = Duration::from_secs(5);
const LONGEST_LEEWAY: Duration = Duration::from_mins(1);
const LONGEST_STALE: Duration = Duration::from_hours(1);

/// Checks access tokens. Cheap to clone: all clones share their keys.
#[derive(Debug, Clone)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: Keys,
    issuer: String,
    audience: String,
    allowed: Vec<Algorithm>,
    leeway: i64,
}

/// What a verifier goes by.
#[must_use]
pub struct Builder {
    issuer: String,
    audience: Option<String>,
    jwks_url: Option<String>,
    allowed: Vec<Algorithm>,
    leeway: Duration,
    longest_stale: Duration,
    clock: Clock,
    fetch: Option<Fetch>,
}

impl Verifier {
    /// A verifier for tokens of this issuer: the service's address with its base path, `https://api.example.com/api/v1`.
    pub fn builder(issuer: impl Into<String>) -> Builder {
        Builder {
            issuer: issuer.into(),
            audience: None,
            jwks_url: None,
            allowed: Algorithm::ALL.to_vec(),
            leeway: LEEWAY,
            longest_stale: LONGEST_STALE,
            clock: Arc::new(system_time),
            fetch: None,
        }
    }

    /// The claims of a valid access token: what follows `Bearer` in `Authorization`.
    ///
    /// # Errors
    /// [`Error::Expired`] and [`Error::NotYetValid`] for tokens whose time it is not, [`Error::KeysUnavailable`] when
    /// they cannot be checked, [`Error::Invalid`] for everything else.
    pub async fn verify(&self, token: &str) -> Result<Claims, Error> {
        let Inner { keys, issuer, audience, allowed, leeway } = &*self.0;
        let header = Header::of(token)?;
        if !header.typ.is_some_and(|typ| TYPES.iter().any(|taken| typ.eq_ignore_ascii_case(taken))) {
            return Err(Invalid::Type.into());
        }
        let algorithm = Algorithm::named(&header.alg).filter(|algorithm| allowed.contains(algorithm));
        let algorithm = algorithm.ok_or(Invalid::Algorithm)?;
        let key = keys.find(&header.kid.ok_or(Invalid::UnknownKey)?).await?.ok_or(Invalid::UnknownKey)?;
        // The algorithm is the key's, and the token has to say the same (RFC 8725, 3.1).
        if key.algorithm != algorithm {
            return Err(Invalid::Algorithm.into());
        }
        let mut validation = Validation::new(key.algorithm.into());
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["iss", "sub", "aud", "exp", "nbf"]);
        // Times are compared below, with the clock that everything else goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims: Claims =
            jsonwebtoken::decode(token, &key.decoding, &validation).map_err(|error| refused(&error))?.claims;

        let now = keys.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if claims.exp.saturating_add(*leeway) <= now {
            return Err(Error::Expired);
        }
        if claims.nbf > now.saturating_add(*leeway) {
            return Err(Error::NotYetValid);
        }
        Ok(claims)
    }
}

/// The part of a header that decides how the token is checked. Keys and addresses of keys in it (`jwk`, `jku`, `x5u`) are
/// the sender's word, and are not looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl Header {
    fn of(token: &str) -> Result<Self, Invalid> {
        if token.len() > LONGEST_TOKEN || token.split('.').count() != 3 {
            return Err(Invalid::Malformed);
        }
        let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
        let header: Self = header.and_then(|header| serde_json::from_slice(&header).ok()).ok_or(Invalid::Malformed)?;
        // What must be understood and is not makes the token invalid (RFC 7515, 4.1.11); nothing is understood here.
        if header.crit.is_some() { Err(Invalid::Malformed) } else { Ok(header) }
    }
}

fn refused(error: &jsonwebtoken::errors::Error) -> Invalid {
    match error.kind() {
        ErrorKind::InvalidIssuer => Invalid::Issuer,
        ErrorKind::InvalidAudience => Invalid::Audience,
        ErrorKind::InvalidAlgorithm => Invalid::Algorithm,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) => Invalid::Claims,
        _ => Invalid::Signature,
    }
}

impl Builder {
    /// Whom the tokens must be for: the service's `TOKEN_AUDIENCE`. The issuer, unless set.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Where the keys are published: the issuer's `/.well-known/jwks.json`, unless set.
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.jwks_url = Some(url.into());
        self
    }

    /// The algorithms that are taken: all that there are, unless set.
    pub fn algorithms(mut self, allowed: &[Algorithm]) -> Self {
        self.allowed = allowed.to_vec();
        self
    }

    /// By how much clocks may differ: five seconds unless set, one minute at most.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway.min(LONGEST_LEEWAY);
        self
    }

    /// How long known keys are still used when they are due and cannot be fetched: one hour unless set.
    pub fn longest_stale(mut self, longest: Duration) -> Self {
        self.longest_stale = longest;
        self
    }

    /// Takes the time from elsewhere than the system's clock, so that a test can move it.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(now);
        self
    }

    /// Fetches the keys another way: through a client of one's own, or from a file. It must reach the issuer's own keys and
    /// no others, and end by itself: requests wait for it.
    pub fn fetch_with<F, R>(mut self, fetch: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Fetched, FetchError>> + Send + 'static,
    {
        self.fetch = Some(Arc::new(move || Box::pin(fetch())));
        self
    }

    /// # Errors
    /// When there is no way to fetch keys or nothing to take; no key is fetched yet.
    pub fn build(self) -> Result<Verifier, BuildError> {
        if self.allowed.is_empty() {
            return Err(BuildError::NoAlgorithm);
        }
        let url =
            self.jwks_url.unwrap_or_else(|| format!("{}/.well-known/jwks.json", self.issuer.trim_end_matches('/')));
        let fetch = self.fetch.map_or_else(|| default_fetch(&url), Ok)?;
        Ok(Verifier(Arc::new(Inner {
            keys: Keys::new(fetch, self.clock, self.allowed.clone(), self.longest_stale),
            audience: self.audience.unwrap_or_else(|| self.issuer.clone()),
            issuer: self.issuer,
            allowed: self.allowed,
            leeway: i64::try_from(self.leeway.as_secs()).unwrap_or(0),
        })))
    }
}

#[cfg(feature = "https")]
fn default_fetch(url: &str) -> Result<Fetch, BuildError> {
    crate::fetch::fetch_from(url)
}

#[cfg(not(feature = "https"))]
fn default_fetch(_: &str) -> Result<Fetch, BuildError> {
    Err(BuildError::NoFetcher)
}

#[allow(clippy::disallowed_methods, reason = "the one place of this crate that reads the system's clock")]
fn system_time() -> SystemTime {
    SystemTime::now()
}
