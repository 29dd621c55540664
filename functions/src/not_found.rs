//! What no other function serves: the HTTP API's `$default` route.
//!
//! An unknown path is 404; a known one with another method is 405 and says which methods it takes. A known path with a method
//! that it does take would have gone to its function, so what led here is another spelling of it: 404.

use axum::extract::Request;
use axum::routing::{MethodRouter, any};
use shared::http::path::fits;
use shared::http::{BASE_PATH, Route};
use shared::{App, Error};

use crate::OUTLINES;

const PATHS: &[&str] = &["/", "/{*rest}"];

/// Not in [`crate::ROUTES`]: it is no route of the contract, it is what is left.
pub const ROUTE: Route = Route::new("not_found", &[], PATHS, routes).also_at_root(PATHS).without_table();

fn routes() -> MethodRouter<App> {
    any(async |request: Request| match allowed(request.uri().path()) {
        allowed if allowed.is_empty() || allowed.contains(&request.method().as_str()) => Error::NotFound,
        allowed => Error::MethodNotAllowed { allow: allowed.join(", ") },
    })
}

/// The methods that a path takes; none when it is no path of ours.
fn allowed(path: &str) -> Vec<&'static str> {
    let based = path.strip_prefix(BASE_PATH);
    OUTLINES
        .iter()
        .filter(|route| {
            let serves = |patterns: &[&str], path| patterns.iter().any(|pattern| fits(pattern, path));
            serves(route.root_paths, path) || based.is_some_and(|path| serves(route.paths, path))
        })
        .flat_map(|route| route.methods.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_the_methods_of_all_its_routes() {
        assert_eq!(allowed("/api/v1/user"), ["GET", "PUT", "DELETE"]);
        assert_eq!(allowed("/api/v1/auth/register"), ["POST"]);
        assert_eq!(allowed("/health"), ["GET"]);
        assert_eq!(allowed("/.well-known/oauth-authorization-server/api/v1"), ["GET"]);
        assert_eq!(allowed("/api/v1/auth/sessions/0198"), ["DELETE"]);
        for unknown in [
            "/user",
            "/api/v1/nothing",
            "/api/v1/.well-known/oauth-authorization-server/api/v1",
            "/api/v1/x/../health",
            "/api/v1/./health",
            "/api/v1/health/",
            "//api/v1/health",
            "/api//v1/health",
            "/api/v1//health",
            "/API/v1/health",
            "/api/v1%2Fhealth",
            "/api/v1/%68ealth",
        ] {
            assert!(allowed(unknown).is_empty(), "{unknown}");
        }
    }
}
