//! The whole service on one machine: the functions behind a gateway that speaks API Gateway's events, with AWS
//! embedded in the process. `cargo run` starts it, and so does every test.

// This crate is the machine around the functions: it tells real time and keeps tasks running.
#![allow(clippy::disallowed_methods, reason = "timers of the machine around the functions")]

mod connector;
mod cors;
mod entrance;
mod environment;
mod gateway;
mod pages;
mod provision;
mod queues;
mod stack;
mod stream;
mod threads;

pub use embedded::{BusEvent, Outage, Service, SuppressionReason};
pub use queues::Queue;
pub use stack::{Options, Stack, StartError};
pub use stream::{STREAM_CONSUMERS, StreamConsumer, is_insert};
pub use threads::runtime;
