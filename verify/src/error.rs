//! What can go wrong, told apart by what its reader can do about it.

use std::sync::Arc;

/// Why a token is not accepted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It was valid. Its holder refreshes it and tries again.
    #[error("the access token has expired")]
    Expired,
    /// Made "in the future", further than the leeway allows: two clocks differ.
    #[error("the access token is not valid yet")]
    NotYetValid,
    /// Not an access token for this service. Its holder signs in.
    #[error("the access token is not valid: {0}")]
    Invalid(#[from] Invalid),
    /// The token may be valid, but cannot be checked now. Answer 503, not 401, or clients sign their users out.
    #[error("the keys that access tokens are checked with are not available")]
    KeysUnavailable(#[source] Arc<FetchError>),
}

/// What is wrong with a token. For the log: a stranger learns nothing from it that helps, and needs none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    #[error("it is not a signed JWT")]
    Malformed,
    #[error("its type is not at+jwt")]
    Type,
    #[error("its algorithm is not accepted, or is not that of its key")]
    Algorithm,
    #[error("no key with that ID is published")]
    UnknownKey,
    #[error("its signature is not valid")]
    Signature,
    #[error("another issuer made it")]
    Issuer,
    #[error("its audience is another one")]
    Audience,
    #[error("a claim is missing or has another form")]
    Claims,
}

/// Why the keys could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    #[error("the connection failed")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("there was no answer in time")]
    TimedOut,
    /// Any answer but 200. Redirects are not followed: keys come from the configured address or not at all.
    #[error("the answer was {0}")]
    Status(u16),
    #[error("the answer is larger than any key set")]
    TooLarge,
    #[error("the answer is not a key set")]
    NotAKeySet,
    #[error("the last attempt was interrupted")]
    Interrupted,
}

/// Why there is no verifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    #[error("{0:?} is no URL to fetch keys from: https, or http on this machine")]
    Url(String),
    #[error("the machine's certificate roots cannot be read")]
    Roots(#[source] std::io::Error),
    #[error("no algorithm is allowed")]
    NoAlgorithm,
    #[error("the feature `https` is off, and nothing else says how to fetch the keys")]
    NoFetcher,
}
