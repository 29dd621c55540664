//! Fetching the key set, by HTTPS.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::FetchError;

/// A key set has a handful of keys of a few hundred bytes each; more than this many bytes are not read.
pub const LARGEST_KEY_SET: usize = 64 * 1024;

/// A key set as it came.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// JSON (RFC 7517, 5).
    pub body: Bytes,
    /// How long the answer may be used, by its `Cache-Control` and `Age`; `None` when it does not say.
    pub max_age: Option<Duration>,
}

pub type Fetching = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send>>;
pub type Fetch = Arc<dyn Fn() -> Fetching + Send + Sync>;

#[cfg(feature = "https")]
pub use https::fetch_from;

#[cfg(feature = "https")]
mod https {
    use std::net::IpAddr;

    use http::header::{ACCEPT, AGE, CACHE_CONTROL, USER_AGENT};
    use http::{HeaderMap, Request, StatusCode, Uri};
    use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
    use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
    use hyper_util::client::legacy::Client;
    use hyper_util::client::legacy::connect::HttpConnector;
    use hyper_util::rt::TokioExecutor;

    use super::{Arc, Bytes, Duration, Fetch, FetchError, Fetched, LARGEST_KEY_SET};
    use crate::error::BuildError;

    /// For all of it, from the connection to the last byte: a request may be waiting.
    const PATIENCE: Duration = Duration::from_secs(5);

    type Https = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

    /// A way to fetch the key set at this address, and at no other.
    pub fn fetch_from(url: &str) -> Result<Fetch, BuildError> {
        let uri: Uri = url.parse().ok().filter(may_be_trusted).ok_or_else(|| BuildError::Url(url.to_owned()))?;
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(BuildError::Roots)?
            .https_or_http()
            .enable_http1()
            .build();
        // Minutes pass between two fetches: no connection is worth keeping.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Arc::new(move || Box::pin(fetch(client.clone(), uri.clone()))))
    }

    /// Who can change the keys on their way can sign every token.
    fn may_be_trusted(uri: &Uri) -> bool {
        match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(_)) => true,
            (Some("http"), Some(host)) => {
                let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
                host == "localhost" || address.is_ok_and(|address| address.is_loopback())
            }
            _ => false,
        }
    }

    async fn fetch(client: Https, uri: Uri) -> Result<Fetched, FetchError> {
        tokio::time::timeout(PATIENCE, get(client, uri)).await.map_err(|_| FetchError::TimedOut)?
    }

    async fn get(client: Https, uri: Uri) -> Result<Fetched, FetchError> {
        let request = Request::get(uri)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| FetchError::Connection(error.into()))?;
        let answer = client.request(request).await.map_err(|error| FetchError::Connection(error.into()))?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let max_age = max_age(answer.headers());
        let body = Limited::new(answer.into_body(), LARGEST_KEY_SET).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() { FetchError::TooLarge } else { FetchError::Connection(error) }
        })?;
        Ok(Fetched { body: body.to_bytes(), max_age })
    }

    /// What is left of the answer's life (RFC 9111, 4.2): its `max-age`, less the time that it lay in caches on its way.
    fn max_age(headers: &HeaderMap) -> Option<Duration> {
        let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        let mut directives = values.flat_map(|value| value.split(',')).map(|part| part.trim().to_ascii_lowercase());
        let age: u64 = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
        directives
            .find_map(|directive| match directive.split_once('=') {
                Some(("max-age", seconds)) => seconds.trim_matches('"').parse::<u64>().ok(),
                None if directive == "no-store" || directive == "no-cache" => Some(0),
                _ => None,
            })
            .map(|seconds| Duration::from_secs(seconds.saturating_sub(age)))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn keys_come_by_https_or_from_this_machine() {
            for (url, taken) in [
                ("https://api.example.com/.well-known/jwks.json", true),
                ("http://127.0.0.1:9000/.well-known/jwks.json", true),
                ("http://localhost:9000/.well-known/jwks.json", true),
                ("http://[::1]:9000/.well-known/jwks.json", true),
                ("http://api.example.com/.well-known/jwks.json", false),
                ("http://127.0.0.1.example.com/", false),
                ("http://localhost.example.com/", false),
                ("http://10.0.0.1/", false),
                ("ftp://127.0.0.1/", false),
                ("/.well-known/jwks.json", false),
                ("", false),
            ] {
                assert_eq!(url.parse().is_ok_and(|uri| may_be_trusted(&uri)), taken, "{url}");
            }
        }

        #[test]
        fn an_answer_lives_as_long_as_its_headers_say() {
            for (cache_control, age, seconds) in [
                (Some("public, max-age=300"), None, Some(300)),
                (Some("Max-Age=\"300\""), None, Some(300)),
                (Some("max-age=300"), Some("100"), Some(200)),
                (Some("max-age=300"), Some("400"), Some(0)),
                (Some("no-cache"), None, Some(0)),
                (Some("no-store, max-age=60"), None, Some(0)),
                (Some("max-age=soon"), None, None),
                (Some("s-maxage=5"), None, None),
                (None, Some("100"), None),
            ] {
                let mut headers = HeaderMap::new();
                cache_control.map(|value| headers.insert(CACHE_CONTROL, value.parse().unwrap()));
                age.map(|value| headers.insert(AGE, value.parse().unwrap()));
                assert_eq!(max_age(&headers), seconds.map(Duration::from_secs), "{cache_control:?} {age:?}");
            }
        }
    }
}
