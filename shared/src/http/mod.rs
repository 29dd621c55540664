//! HTTP as every route has it: what a route is, who is calling, how bodies are read, how answers leave.

pub mod answer;
pub mod body;
pub mod caller;
pub mod event;
pub mod fields;
pub mod limit;
pub mod negotiation;
pub mod pages;
pub mod path;
pub mod query;
pub mod view;

use axum::Router;
use axum::routing::MethodRouter;

use crate::App;
use crate::domain::limit::Limit;
use crate::error::Code;

/// What every path of the API starts with.
pub const BASE_PATH: &str = "/api/v1";

/// A route: one Lambda function. Its name is that of its file, its binary, its event and its template resource.
#[derive(Clone, Copy)]
pub struct Route {
    pub name: &'static str,
    /// Under [`BASE_PATH`].
    pub paths: &'static [&'static str],
    pub methods: &'static [&'static str],
    /// Outside of [`BASE_PATH`], where clients look for well-known documents.
    pub root_paths: &'static [&'static str],
    /// The codes it answers with beside those that every route has.
    pub errors: &'static [Code],
    /// Whether it reads or writes the table. One that does not is up while the table is not, and starts without it.
    pub uses_table: bool,
    /// Whether it hashes a password: the memory for that is made ready while a cold start does the rest.
    pub hashes: bool,
    /// How often one origin may call it: its handler takes [`limit::Limited`].
    pub limit: Option<Limit>,
    pub handler: fn() -> MethodRouter<App>,
}

impl Route {
    #[must_use]
    pub const fn new(
        name: &'static str,
        methods: &'static [&'static str],
        paths: &'static [&'static str],
        handler: fn() -> MethodRouter<App>,
    ) -> Self {
        Self {
            name,
            paths,
            methods,
            root_paths: &[],
            errors: &[],
            uses_table: true,
            hashes: false,
            limit: None,
            handler,
        }
    }

    #[must_use]
    pub const fn also_at_root(self, root_paths: &'static [&'static str]) -> Self {
        Self { root_paths, ..self }
    }

    #[must_use]
    pub const fn fails_with(self, errors: &'static [Code]) -> Self {
        Self { errors, ..self }
    }

    #[must_use]
    pub const fn without_table(self) -> Self {
        Self { uses_table: false, ..self }
    }

    #[must_use]
    pub const fn hashing(self) -> Self {
        Self { hashes: true, ..self }
    }

    #[must_use]
    pub const fn limited_by(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Every full path the route is served at.
    pub fn full_paths(&self) -> impl Iterator<Item = String> {
        let based = self.paths.iter().map(|path| format!("{BASE_PATH}{path}"));
        based.chain(self.root_paths.iter().map(|path| (*path).to_owned()))
    }

    /// The service of this route alone, as its Lambda runs it.
    pub fn service(&self, app: App) -> Router {
        let router = self.full_paths().fold(Router::new(), |router, path| router.route(&path, (self.handler)()));
        answer::finish(router, self, app)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_served_under_the_base_path_and_at_the_root_only_if_it_says_so() {
        let route = Route::new("health", &["GET"], &["/health"], MethodRouter::new).fails_with(&[Code::Forbidden]);
        assert_eq!(route.full_paths().collect::<Vec<_>>(), ["/api/v1/health"]);
        let route = route.also_at_root(&["/health", "/health/api"]);
        assert_eq!(route.full_paths().collect::<Vec<_>>(), ["/api/v1/health", "/health", "/health/api"]);
        assert_eq!(route.errors, [Code::Forbidden]);
    }
}
