//! Checks the access tokens of the user-management service, in another service.
//!
//! ```no_run
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use verify::{Error, Verifier};
//!
//! // Once, at the start: clones share the keys.
//! let verifier = Verifier::builder("https://api.example.com/api/v1").build()?;
//!
//! match verifier.verify(token).await {
//!     Ok(claims) => println!("{} is signed in as {:?}", claims.sub, claims.roles),
//!     Err(Error::Expired) => println!("refresh, and come again"),
//!     Err(Error::KeysUnavailable(cause)) => println!("that is our side's fault: {cause}"),
//!     Err(refused) => println!("sign in: {refused}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What is checked is what RFC 9068, 4 asks for, with RFC 8725's advice:
//!
//! - the type `at+jwt`, so that no other JWT of the same issuer passes for an access token;
//! - the signature, with the published key of that `kid` and with that key's algorithm: ES256, RS256 or `EdDSA`, whatever
//!   the header says, and never a shared secret;
//! - `iss`, `aud`, `exp` and `nbf`.
//!
//! What is not checked is whether the session is still active: a token works until it expires, ten minutes at most, also after
//! its owner signed out. To know at once, ask the service itself, `POST /auth/introspect`.
//!
//! # The keys
//!
//! They are fetched when the first token comes, and kept as long as the answer's `Cache-Control` says, between one minute and
//! [one quarter of an hour](LONGEST_FRESH). Then the next request fetches them again. However many requests come at once, there
//! is one fetch: those who have no key to go on with wait for it together and share its failure, so an endpoint that hangs
//! holds each of them up once. A token with an unknown key id makes one request look
//! again, at most every ten seconds, so a new key is known at once and made-up ids cost nothing. While the keys cannot be
//! fetched, the known ones are used for [another hour](Builder::longest_stale).
//!
//! A key that the service withdrew, because it was compromised, is therefore believed for a quarter of an hour at most; for an
//! hour and a quarter by one who cannot fetch the keys all that time.
//!
//! # Features
//!
//! - `https` (on by default): fetches the keys, by HTTPS with the machine's certificate roots, or by HTTP from this machine
//!   alone. It follows no redirect, reads 64 KiB at most and waits five seconds at most. Without it, the caller brings the
//!   fetching along: [`Builder::fetch_with`].
//! - `axum`: the extractor [`axum::Caller`].
//!
//! Signatures are checked by AWS-LC, through the `jsonwebtoken` crate.

#[cfg(feature = "axum")]
pub mod axum;
mod claims;
mod error;
mod fetch;
mod jwk;
mod keys;
mod verifier;

pub use claims::Claims;
pub use error::{BuildError, Error, FetchError, Invalid};
pub use fetch::{Fetched, LARGEST_KEY_SET};
pub use jwk::Algorithm;
pub use keys::{LONGEST_FRESH, SHORTEST_FRESH};
pub use verifier::{Builder, Verifier};
