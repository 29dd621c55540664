//! The service's tests, over HTTP: one module a route, and those that cross routes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod journeys;
mod routes {
    mod register;
}
