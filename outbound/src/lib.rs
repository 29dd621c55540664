//! HTTPS requests to URLs that an administrator typed, which reach nothing but the public internet.
//!
//! ```no_run
//! # async fn example(typed: &str, secret: &outbound::signature::Secret) -> Result<(), Box<dyn std::error::Error>> {
//! use http::{HeaderMap, HeaderValue};
//! use outbound::{Client, Limits, Outcome, Targets, WebhookUrl, signature};
//!
//! // At the door: its errors are sentences for the person who typed it.
//! let url = WebhookUrl::parse(typed, Targets::Public)?;
//! // Once, at the start.
//! let client = Client::new(Targets::Public, HeaderValue::from_static("users/1.0"))?;
//!
//! let (id, now, body) = ("0192f3a4-0000-7000-8000-000000000001", 1_800_000_000, "{}");
//! let mut headers = HeaderMap::new();
//! headers.insert(signature::ID, id.parse()?);
//! headers.insert(signature::TIMESTAMP, now.into());
//! headers.insert(signature::SIGNATURE, signature::sign(id, now, body.as_bytes(), &[secret]).parse()?);
//! match client.post(&url, headers, body.into(), Limits::default()).await {
//!     Outcome::Answered { status: 200..300, .. } => println!("delivered"),
//!     Outcome::Answered { status, retry_after, .. } => println!("{status}, again after {retry_after:?}"),
//!     Outcome::Failed { reason } => println!("{}", reason.as_str()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is refused
//!
//! Server-side request forgery (OWASP API7:2023) is a URL that makes a server request what only the server can reach: the
//! credentials of its cloud, internal services, itself. So:
//!
//! - A URL has the scheme https, no credentials, no fragment, a port of 443 or from 1024, and as its host a full domain name or
//!   a public IP address. [`WebhookUrl`] holds no other.
//! - Every address is checked between the lookup and the connection, and the address that was checked is the one that is
//!   connected to: a name cannot change in between. [`is_public`] says what is public. Names are not judged, as any name can
//!   have any address. Of a name with several addresses those that are not public are left out.
//! - Redirects are not followed: a redirect is the answer. No proxy is asked, whatever the environment says.
//! - No failure tells which address a name resolved to, or it would help to map an internal network.
//!
//! [`Targets::AlsoThisMachine`] also allows http and loopback, for a laptop.
//!
//! # Limits of an answer
//!
//! One deadline for all of it, 16 KiB for the head, and for the body what [`Limits`] says; then the connection is closed.
//!
//! # Why hyper
//!
//! The functions already have it for AWS. A function with one AWS client grows by 169 KB, with reqwest 0.13 in its place
//! by 460, and redirects, proxies and a pool of connections would be there to be switched off.

mod address;
mod client;
mod outcome;
pub mod signature;
mod webhook_url;

pub use address::is_public;
pub use client::{Client, Limits};
pub use outcome::{Outcome, Reason};
pub use webhook_url::{MAX_LENGTH, Targets, UrlError, WebhookUrl};
