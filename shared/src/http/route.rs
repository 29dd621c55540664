//! What a route is, said once, in its own file. Everything that repeats it is computed from here, or written by
//! `cargo run --bin generate`.

use std::collections::BTreeSet;

use axum::routing::MethodRouter;
use axum::{Extension, Router, middleware};
use utoipa::openapi::OpenApi;

use super::argument::Needs;
use super::caller::OpenToImpersonation;
use super::idempotency::{self, Idempotent};
use super::{BASE_PATH, answer};
use crate::App;
use crate::domain::limit::Limit;
use crate::error::Code;
use crate::grant::{Grant, Grants};
use crate::store::Store;

/// A part of the service: a folder of `functions/src`, a nested stack, a tag of the OpenAPI document, a folder of tests.
#[derive(Debug, Clone, Copy)]
pub struct Area {
    pub name: &'static str,
    /// For the OpenAPI document and the stack.
    pub description: &'static str,
    pub routes: &'static [Route],
    pub workers: &'static [Worker],
}

/// One Lambda function behind the API. Its name is that of its file, its binary, its event and its resource in the stack.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each says a thing of its own")]
pub struct Route {
    pub name: &'static str,
    pub area: &'static str,
    pub operations: &'static [Operation],
    /// The codes it answers with, in addition to those that its arguments and every route have.
    pub errors: &'static [Code],
    /// What it may do, in addition to what its arguments need.
    pub grants: Grants,
    /// Whether it hashes a password: it gets a whole vCPU, and the memory of the hash is prepared while a cold start does the
    /// rest.
    pub hashes: bool,
    /// How often one client may call it: its handler takes [`super::limit::Limited`].
    pub limit: Option<Limit>,
    /// Whether it takes an `Idempotency-Key` also of those who are not signed in. Of those who are each operation does that
    /// changes something.
    pub takes_idempotency_key: bool,
    /// Whether answers hold tokens or secrets, so that none is kept for an `Idempotency-Key`.
    pub answers_secrets: bool,
    /// Whether staff may use it who act as somebody else and may change something. One that only reads is open to them anyway.
    pub open_to_impersonation: bool,
    /// Seconds.
    pub timeout: u32,
    /// Whether it has so much traffic that an alarm would notice a bad version: in production it gets new versions gradually.
    pub shifts_gradually: bool,
}

/// A method and a path with its handler; made by `#[operation]`.
#[derive(Clone, Copy)]
pub struct Operation {
    pub method: &'static str,
    /// Under [`BASE_PATH`].
    pub path: &'static str,
    /// Outside [`BASE_PATH`], where clients look for well-known documents.
    pub root_paths: &'static [&'static str],
    pub arguments: &'static [Needs],
    pub handler: fn() -> MethodRouter<App>,
    /// A document of this operation alone; none for one that is not part of the API's document.
    pub document: Option<fn() -> OpenApi>,
}

/// What of a [`Route`] its function runs. Made in a constant, so that a binary has no other part of its route, neither rights
/// nor documentation.
#[derive(Debug, Clone, Copy)]
pub struct Served {
    pub name: &'static str,
    pub uses_table: bool,
    pub hashes: bool,
    pub limit: Option<Limit>,
    operations: [Option<ServedOperation>; Self::OPERATIONS],
}

#[derive(Clone, Copy)]
struct ServedOperation {
    method: &'static str,
    path: &'static str,
    root_paths: &'static [&'static str],
    handler: fn() -> MethodRouter<App>,
    idempotent: Option<Idempotent>,
    open_to_impersonation: bool,
}

impl std::fmt::Debug for ServedOperation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.path)
    }
}

impl Served {
    /// The methods that it takes; none for one that takes all.
    pub fn methods(&self) -> impl Iterator<Item = &'static str> {
        let methods = self.operations.iter().flatten().map(|operation| operation.method);
        methods.filter(|method| *method != ANY)
    }

    /// How many operations a route has at most.
    const OPERATIONS: usize = 4;

    /// The service of this route alone, as its Lambda runs it.
    pub fn service(&self, app: App) -> Router {
        let router = self.operations.iter().flatten().fold(Router::new(), |router, operation| {
            let handler = || {
                let handler = (operation.handler)();
                let handler = if operation.open_to_impersonation {
                    handler.layer(Extension(OpenToImpersonation))
                } else {
                    handler
                };
                match operation.idempotent {
                    Some(idempotent) => {
                        let state = (app.clone(), idempotent);
                        handler.layer(middleware::from_fn_with_state(state, idempotency::once))
                    }
                    None => handler,
                }
            };
            full_paths(operation.path, operation.root_paths).fold(router, |router, path| router.route(&path, handler()))
        });
        answer::finish(router, self.name, &self.methods().collect::<Vec<_>>(), self.limit, app)
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// The codes of operations that take an idempotency key.
pub const IDEMPOTENCY_CODES: [Code; 4] =
    [Code::InvalidRequest, Code::RequestInProgress, Code::AnswerNotKept, Code::IdempotencyKeyReused];

/// The method of an operation that takes all of them.
pub const ANY: &str = "ANY";

/// The seconds that a function has by default. A call to AWS takes nine seconds at most, with all its attempts; what fails
/// then the function still answers itself.
pub const TIMEOUT: u32 = 15;

impl Route {
    /// A route that is named after its file: `module` is `module_path!()`, `crate::area::name`.
    #[must_use]
    pub const fn new(module: &'static str, operations: &'static [Operation]) -> Self {
        let (area, name) = area_and_name(module);
        Self {
            name,
            area,
            operations,
            errors: &[],
            grants: &[],
            hashes: false,
            limit: None,
            takes_idempotency_key: false,
            answers_secrets: false,
            open_to_impersonation: false,
            timeout: TIMEOUT,
            shifts_gradually: false,
        }
    }

    #[must_use]
    pub const fn fails_with(self, errors: &'static [Code]) -> Self {
        Self { errors, ..self }
    }

    #[must_use]
    pub const fn may(self, grants: Grants) -> Self {
        Self { grants, ..self }
    }

    #[must_use]
    pub const fn hashing(self) -> Self {
        Self { hashes: true, ..self }
    }

    #[must_use]
    pub const fn limited_by(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    #[must_use]
    pub const fn taking_idempotency_keys(self) -> Self {
        Self { takes_idempotency_key: true, ..self }
    }

    #[must_use]
    pub const fn answering_secrets(self) -> Self {
        Self { answers_secrets: true, ..self }
    }

    #[must_use]
    pub const fn opening_to_impersonation(self) -> Self {
        Self { open_to_impersonation: true, ..self }
    }

    /// What one of its operations is to idempotency keys; `None` where it takes none.
    #[must_use]
    pub const fn idempotent(&self, operation: &Operation) -> Option<Idempotent> {
        let signed_in = operation.is_signed_in();
        if operation.changes() && (signed_in || self.takes_idempotency_key) {
            Some(Idempotent { signed_in, answers_secrets: self.answers_secrets })
        } else {
            None
        }
    }

    #[must_use]
    pub const fn within(self, seconds: u32) -> Self {
        Self { timeout: seconds, ..self }
    }

    #[must_use]
    pub const fn shifting_gradually(self) -> Self {
        Self { shifts_gradually: true, ..self }
    }

    /// Whether it reads or writes a table. One that does not is up while the table is not, and starts without it.
    #[must_use]
    pub const fn uses_table(&self) -> bool {
        let mut at = 0;
        while at < self.operations.len() {
            let arguments = self.operations[at].arguments;
            let mut argument = 0;
            while argument < arguments.len() {
                if about_tables(arguments[argument].grants) {
                    return true;
                }
                argument += 1;
            }
            at += 1;
        }
        about_tables(self.grants) || self.limit.is_some()
    }

    /// The memory of its function, in MiB.
    #[must_use]
    pub const fn memory(&self) -> u32 {
        if self.hashes { HASHING_MEMORY } else { MEMORY }
    }

    /// Every right of its role, but that to count its requests.
    pub fn all_grants(&self) -> impl Iterator<Item = &'static Grant> {
        let arguments = self.operations.iter().flat_map(|operation| operation.arguments);
        let needed = arguments.flat_map(|argument| argument.grants);
        let idempotent = self.operations.iter().any(|operation| self.idempotent(operation).is_some());
        let keys: Grants = if idempotent { Store::IDEMPOTENCY } else { &[] };
        self.grants.iter().chain(needed).chain(keys)
    }

    /// Every code of one of its operations, in addition to those that every route has.
    #[must_use]
    pub fn all_errors(&self, operation: &Operation) -> BTreeSet<Code> {
        let needed = operation.arguments.iter().flat_map(|argument| argument.errors);
        let keys: &[Code] = if self.idempotent(operation).is_some() { &IDEMPOTENCY_CODES } else { &[] };
        let signed_in: &[Code] =
            if operation.changes() && operation.is_signed_in() { &[Code::Impersonating] } else { &[] };
        self.errors.iter().chain(needed).chain(keys).chain(signed_in).copied().collect()
    }

    /// Every method with every full path that the route is served at.
    pub fn endpoints(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.operations.iter().flat_map(|operation| operation.full_paths().map(|path| (operation.method, path)))
    }

    /// What its function runs; to be made in a constant.
    ///
    /// # Panics
    /// With more operations than [`Served`] has room for.
    #[must_use]
    pub const fn served(&self) -> Served {
        assert!(self.operations.len() <= Served::OPERATIONS, "a route with so many operations is several");
        let mut operations = [None; Served::OPERATIONS];
        let mut at = 0;
        while at < self.operations.len() {
            let Operation { method, path, root_paths, handler, .. } = self.operations[at];
            let idempotent = self.idempotent(&self.operations[at]);
            let open_to_impersonation = self.open_to_impersonation;
            operations[at] =
                Some(ServedOperation { method, path, root_paths, handler, idempotent, open_to_impersonation });
            at += 1;
        }
        Served { name: self.name, uses_table: self.uses_table(), hashes: self.hashes, limit: self.limit, operations }
    }

    /// The service of this route alone, as its Lambda runs it.
    pub fn service(&self, app: App) -> Router {
        self.served().service(app)
    }
}

impl Operation {
    /// Whether it changes something, by its method.
    #[must_use]
    pub const fn changes(&self) -> bool {
        matches!(self.method.as_bytes(), b"POST" | b"PUT" | b"PATCH" | b"DELETE")
    }

    /// Whether its callers are signed in.
    #[must_use]
    pub const fn is_signed_in(&self) -> bool {
        let mut at = 0;
        while at < self.arguments.len() {
            if self.arguments[at].signed_in {
                return true;
            }
            at += 1;
        }
        false
    }

    /// Every full path that the operation is served at.
    pub fn full_paths(&self) -> impl Iterator<Item = String> + use<> {
        full_paths(self.path, self.root_paths)
    }

    /// The credentials that its callers send.
    #[must_use]
    pub fn credentials(&self) -> Option<&'static str> {
        self.arguments.iter().find_map(|argument| argument.credentials)
    }
}

/// A function that no client calls.
#[derive(Debug, Clone, Copy)]
pub struct Worker {
    pub name: &'static str,
    pub area: &'static str,
    pub trigger: Trigger,
    pub grants: Grants,
    /// Seconds.
    pub timeout: u32,
    /// MiB; 1769 is a whole vCPU.
    pub memory: u32,
    /// Variables that only this function has.
    pub variables: &'static [(&'static str, &'static str)],
}

#[derive(Debug, Clone, Copy)]
pub enum Trigger {
    /// Messages of a queue: the template's name for it, how many messages one invocation takes, and how many run at once, as
    /// YAML.
    Queue { name: &'static str, batch: u32, concurrency: &'static str },
    /// New items of the main table whose sort keys begin so, in the order in which they were written, by the table's stream; what
    /// for. What fails is tried again until the stream is about to forget it, and then kept in the bucket for failed events.
    Stream { prefixes: &'static [&'static str], description: &'static str },
    /// A schedule of `EventBridge`, and what it is for.
    Schedule { rate: &'static str, description: &'static str },
}

impl Worker {
    /// A worker that is named after its file, as [`Route::new`] does.
    #[must_use]
    pub const fn new(module: &'static str, trigger: Trigger, timeout: u32) -> Self {
        let (area, name) = area_and_name(module);
        Self { name, area, trigger, grants: &[], timeout, memory: MEMORY, variables: &[] }
    }

    #[must_use]
    pub const fn may(self, grants: Grants) -> Self {
        Self { grants, ..self }
    }

    #[must_use]
    pub const fn with_memory(self, memory: u32) -> Self {
        Self { memory, ..self }
    }

    #[must_use]
    pub const fn with_variables(self, variables: &'static [(&'static str, &'static str)]) -> Self {
        Self { variables, ..self }
    }
}

/// MiB, a third of a vCPU. The work of most functions is to wait for DynamoDB; what they compute is a TLS handshake at the
/// cold start, which takes hundreds of milliseconds at 128 MB. Most answer within 15 ms at it when warm, and those that do more
/// within 31; half of it would save 2 to 9 cents for a million requests (`bench/results/cost.md` has a table by memory).
const MEMORY: u32 = 512;

/// MiB, one vCPU. Hashing a password only computes. At 1024 MB a sign-in takes 64 ms instead of 42, and a million of them cost
/// $0.22 less of $11.26 (`bench/results/cost.md`): not worth the wait.
const HASHING_MEMORY: u32 = 1769;

fn full_paths(path: &'static str, root_paths: &'static [&'static str]) -> impl Iterator<Item = String> {
    let root_paths = root_paths.iter().map(|path| (*path).to_owned());
    std::iter::once(format!("{BASE_PATH}{path}")).chain(root_paths)
}

const fn about_tables(grants: Grants) -> bool {
    let mut at = 0;
    while at < grants.len() {
        if grants[at].is_about_tables() {
            return true;
        }
        at += 1;
    }
    false
}

/// The last two parts of a path of modules.
const fn area_and_name(module: &'static str) -> (&'static str, &'static str) {
    let (rest, name) = split_at_last_colon(module);
    let (_, area) = split_at_last_colon(rest);
    (area, name)
}

const fn split_at_last_colon(path: &'static str) -> (&'static str, &'static str) {
    let bytes = path.as_bytes();
    let mut at = bytes.len();
    while at > 0 && bytes[at - 1] != b':' {
        at -= 1;
    }
    let (rest, last) = path.split_at(at);
    let (rest, _) = rest.split_at(rest.len().saturating_sub(2));
    (rest, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTH: Operation = Operation {
        method: "GET",
        path: "/health",
        root_paths: &[],
        arguments: &[Needs::NOTHING],
        handler: MethodRouter::new,
        document: None,
    };

    #[test]
    fn a_route_is_named_after_its_file() {
        let route = Route::new("functions::service::health", &[HEALTH]);
        assert_eq!((route.area, route.name), ("service", "health"));
    }

    const AT_ROOT: Operation = Operation { root_paths: &["/health", "/healthz"], ..HEALTH };
    const READ: Grants = &[Grant::table(&[crate::grant::GET], &[crate::grant::USERS])];
    const SIGNED_IN: Operation = Operation { arguments: &[Needs { grants: READ, ..Needs::NOTHING }], ..HEALTH };

    #[test]
    fn a_route_is_served_at_the_root_only_if_it_says_so() {
        let route = Route::new("functions::service::health", &[HEALTH]);
        assert_eq!(route.endpoints().collect::<Vec<_>>(), [("GET", "/api/v1/health".to_owned())]);
        let paths: Vec<_> = AT_ROOT.full_paths().collect();
        assert_eq!(paths, ["/api/v1/health", "/health", "/healthz"]);
    }

    #[test]
    fn a_route_uses_the_table_when_a_grant_is_about_it() {
        let route = Route::new("functions::service::health", &[HEALTH]);
        assert!(!route.uses_table());
        assert!(route.may(READ).uses_table());
        assert!(route.limited_by(Limit::Login).uses_table());
        assert!(Route::new("functions::service::health", &[SIGNED_IN]).uses_table());
    }
}
