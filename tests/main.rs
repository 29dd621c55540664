//! The service's tests, over HTTP: one module a route, and those that cross routes.

#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "a test that cannot go on stops")]

mod architecture;
mod conflicts;
mod confusion;
mod deployment;
mod events;
mod factor;
mod gateway;
mod guessing;
mod journeys;
mod lambda;
mod local_stack;
mod mail;
mod passkey;
mod recovery;
mod routes {
    mod confirm;
    mod email;
    mod factors;
    mod introspect;
    mod login;
    mod logout;
    mod passkeys;
    mod password;
    mod picture;
    mod refresh;
    mod register;
    mod send;
    mod service;
    mod sessions;
    mod step_up;
    mod user;
    mod users;
}
mod requests;
mod tokens;
mod verify;
