//! HTTP as every route has it: what a route is, who is calling, how bodies are read, how answers leave.

pub mod answer;
mod argument;
pub mod body;
pub mod caller;
pub mod event;
pub mod fields;
pub mod idempotency;
pub mod limit;
pub mod negotiation;
pub mod pages;
pub mod path;
pub mod precondition;
pub mod query;
mod route;
pub mod view;

pub use argument::{HandlerArgument, Needs};
pub use route::{ANY, Area, IDEMPOTENCY_CODES, Operation, Route, Served, TIMEOUT, Trigger, Worker};

pub use crate::config::BASE_PATH;
