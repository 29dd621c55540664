//! The catch-all for requests that no other function serves: the HTTP API's `$default` route.
//!
//! An unknown path is 404; a known one with another method is 405 with the supported methods. A known path with a supported method
//! would have been routed to its function, so such a request has another spelling of the path: 404.

use axum::extract::Request;
use axum::routing::{MethodRouter, any};
use shared::http::path::fits;
use shared::http::{ANY, BASE_PATH, Operation, Route};
use shared::{App, Error};

use crate::ENDPOINTS;

/// Not in [`crate::AREAS`]: the catch-all, not one of the API's routes. It belongs to no route of the gateway but `$default`.
pub const ROUTE: Route = Route::new(
    module_path!(),
    &[Operation {
        method: ANY,
        path: "/{*rest}",
        root_paths: &["/", "/{*rest}"],
        arguments: &[],
        handler: routes,
        document: None,
    }],
);

fn routes() -> MethodRouter<App> {
    any(async |request: Request| match allowed(request.uri().path()) {
        allowed if allowed.is_empty() || allowed.contains(&request.method().as_str()) => Error::NotFound,
        allowed => Error::MethodNotAllowed { allow: allowed.join(", ") },
    })
}

/// The methods that a path takes; none when it is no path of ours.
fn allowed(path: &str) -> Vec<&'static str> {
    let based = path.strip_prefix(BASE_PATH);
    ENDPOINTS
        .iter()
        .filter(|endpoint| {
            endpoint.root_paths.iter().any(|pattern| fits(pattern, path))
                || based.is_some_and(|path| fits(endpoint.path, path))
        })
        .map(|endpoint| endpoint.method)
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
