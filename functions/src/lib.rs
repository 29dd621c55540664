//! The Lambda functions. A route is a file, top to bottom: purpose, path, request, response, handler; its `ROUTE` is the only
//! definition of its properties. Areas are folders, with a list of their routes in `mod.rs`, which also has what the routes of the
//! area share. Routes do not import each other. Each binary runs one function.

#![allow(clippy::missing_errors_doc, reason = "what a route fails with is in its ROUTE, as data")]

pub mod accounts;
pub mod activity;
pub mod attempts;
pub mod elsewhere;
pub mod erasure;
pub mod factors;
pub mod invitations;
pub mod links;
pub mod passwords;
pub mod pictures;
pub mod second_factor;
pub mod service;
pub mod sessions;
pub mod staff;
pub mod transfer;
pub mod webhooks;
pub mod workers;

use shared::error::Code;
use shared::http::{Area, Needs, Operation, Route, Worker};
use utoipa::openapi::OpenApi;

/// Every area.
pub const AREAS: [Area; 12] = [
    accounts::AREA,
    passwords::AREA,
    sessions::AREA,
    factors::AREA,
    pictures::AREA,
    staff::AREA,
    invitations::AREA,
    activity::AREA,
    webhooks::AREA,
    service::AREA,
    workers::AREA,
    transfer::AREA,
];

/// The route for all that no other takes.
pub const FALLBACK: Route = service::not_found::ROUTE;

/// Every route of the API.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    AREAS.iter().flat_map(|area| area.routes)
}

/// Every function that no client calls.
pub fn workers() -> impl Iterator<Item = &'static Worker> {
    AREAS.iter().flat_map(|area| area.workers)
}

/// A route by its name.
#[must_use]
pub fn route(name: &str) -> Option<&'static Route> {
    routes().chain([&FALLBACK]).find(|route| route.name == name)
}

// What follows is made of the routes in constants, so that a function that tells of all routes does not carry their handlers.

/// The name of each area and what it is about.
pub const TAGS: [(&str, &str); AREAS.len()] = {
    let mut tags = [("", ""); AREAS.len()];
    let mut at = 0;
    while at < tags.len() {
        tags[at] = (AREAS[at].name, AREAS[at].description);
        at += 1;
    }
    tags
};

/// A method and a path, without its handler; the fields are those of [`Operation`].
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    pub method: &'static str,
    pub path: &'static str,
    pub root_paths: &'static [&'static str],
}

/// Every operation, as far as it is an endpoint.
pub const ENDPOINTS: [Endpoint; operations(false)] = {
    const NONE: Endpoint = Endpoint { method: "", path: "", root_paths: &[] };
    let mut endpoints = [NONE; operations(false)];
    let mut at = 0;
    while at < endpoints.len() {
        let (_, Operation { method, path, root_paths, .. }) = operation(at, false).expect("they were counted");
        endpoints[at] = Endpoint { method, path, root_paths };
        at += 1;
    }
    endpoints
};

/// A documented operation, without its handler.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each says a thing of its own")]
pub struct Documented {
    pub area: &'static str,
    pub route: &'static str,
    pub arguments: &'static [Needs],
    pub errors: &'static [Code],
    pub uses_table: bool,
    pub limited: bool,
    pub takes_idempotency_key: bool,
    /// Whether it makes changes for a signed-in caller, who may be staff impersonating a user.
    pub refuses_impersonation: bool,
    /// The OpenAPI document of this operation alone.
    pub document: fn() -> OpenApi,
}

/// Every documented operation.
pub const DOCUMENTS: [Documented; operations(true)] = {
    const NONE: Documented = Documented {
        area: "",
        route: "",
        arguments: &[],
        errors: &[],
        uses_table: false,
        limited: false,
        takes_idempotency_key: false,
        refuses_impersonation: false,
        document: unreachable_document,
    };
    let mut documents = [NONE; operations(true)];
    let mut at = 0;
    while at < documents.len() {
        let (route, documented) = operation(at, true).expect("they were counted");
        let Operation { arguments, document, .. } = documented;
        documents[at] = Documented {
            area: route.area,
            route: route.name,
            arguments,
            errors: route.errors,
            uses_table: route.uses_table(),
            limited: route.limit.is_some(),
            takes_idempotency_key: route.idempotent(documented).is_some(),
            refuses_impersonation: documented.changes() && documented.is_signed_in(),
            document: document.expect("documented ones are asked for"),
        };
        at += 1;
    }
    documents
};

fn unreachable_document() -> OpenApi {
    unreachable!("every entry is replaced")
}

/// How many operations there are, all or the documented ones.
const fn operations(documented: bool) -> usize {
    let mut count = 0;
    while operation(count, documented).is_some() {
        count += 1;
    }
    count
}

/// The operation at an index among all or among the documented ones, with its route, if there are so many.
const fn operation(wanted: usize, documented: bool) -> Option<(&'static Route, &'static Operation)> {
    let (mut index, mut area) = (0, 0);
    while area < AREAS.len() {
        let mut route = 0;
        while route < AREAS[area].routes.len() {
            let found = &AREAS[area].routes[route];
            let mut at = 0;
            while at < found.operations.len() {
                let operation = &found.operations[at];
                if !documented || operation.document.is_some() {
                    if index == wanted {
                        return Some((found, operation));
                    }
                    index += 1;
                }
                at += 1;
            }
            route += 1;
        }
        area += 1;
    }
    None
}
