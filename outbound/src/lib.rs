//! Webhooks: how their messages are signed.

pub mod signature;
