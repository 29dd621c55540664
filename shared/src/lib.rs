//! What the routes share. Dependencies point one way, from the outside in:
//! `http` and `telemetry` know `app`, `app` knows `store` and `tokens`, all know `domain`,
//! and `domain` knows itself, the clock and randomness. `tests/layers.rs` holds it.

pub mod app;
pub mod clock;
pub mod cloudevent;
pub mod config;
pub mod deliveries;
pub mod domain;
pub mod error;
pub mod grant;
pub mod hashing;
pub mod http;
pub mod lambda;
pub mod mail;
pub mod outbox;
pub mod population;
pub mod random;
pub mod relying_party;
pub mod sessions;
pub mod store;
pub mod telemetry;
pub mod tokens;

pub use app::App;
pub use error::{Error, Result};
