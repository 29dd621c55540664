//! Who is answered: programs of this machine, and web pages of the origins that are allowed.
//!
//! Servers that listen on the loopback interface cannot be reached from other machines, but from any web page that is open in
//! a browser on this one. The browser says so: the page's origin is in `Origin` (<https://fetch.spec.whatwg.org/#origin-header>)
//! or its relation in `Sec-Fetch-Site` (<https://www.w3.org/TR/fetch-metadata/>), and a page whose own domain was pointed at
//! 127.0.0.1 (DNS rebinding) shows that domain in `Host`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::header::{HOST, ORIGIN};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Uri};

/// The origins of web pages that may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// `http` or `https` on this machine, any port.
    Loopback,
    /// `*`
    Any,
    /// `https://*`: all of a scheme.
    Scheme(String),
    Exactly(String),
}

/// Why a list of origins cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin: scheme://host or scheme://host:port, *, http://* or https://*")]
pub struct InvalidOrigin(String);

impl Default for Origins {
    /// Pages that this machine serves itself.
    fn default() -> Self {
        Self(vec![Pattern::Loopback])
    }
}

impl FromStr for Origins {
    type Err = InvalidOrigin;

    /// Origins with commas in between, in the forms that API Gateway takes
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>).
    fn from_str(list: &str) -> Result<Self, InvalidOrigin> {
        list.split(',').map(|origin| Pattern::parse(origin.trim())).collect::<Result<_, _>>().map(Self)
    }
}

impl Origins {
    /// No web page at all.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// These and one more.
    #[must_use]
    pub fn and(mut self, origin: impl Into<String>) -> Self {
        self.0.push(Pattern::Exactly(origin.into()));
        self
    }

    /// Whether an `Origin` is one of these.
    #[must_use]
    pub fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Any => true,
            Pattern::Loopback => parse(origin).is_some_and(|(_, authority)| is_loopback(authority.host())),
            Pattern::Scheme(scheme) => parse(origin).is_some_and(|(found, _)| found.as_str() == scheme),
            Pattern::Exactly(allowed) => allowed == origin,
        })
    }
}

impl Pattern {
    fn parse(origin: &str) -> Result<Self, InvalidOrigin> {
        match origin {
            "*" => Ok(Self::Any),
            "http://*" | "https://*" => Ok(Self::Scheme(origin.trim_end_matches("://*").to_owned())),
            _ if parse(origin).is_some() => Ok(Self::Exactly(origin.to_owned())),
            _ => Err(InvalidOrigin(origin.to_owned())),
        }
    }
}

/// Scheme and authority of an origin as browsers write it: no path, no user, lower case.
fn parse(origin: &str) -> Option<(Scheme, Authority)> {
    let (_, rest) = origin.split_once("://")?;
    let uri = origin.parse::<Uri>().ok().filter(|_| !rest.contains(['/', '?', '#', '@', '*']))?;
    let parts = uri.into_parts();
    let authority =
        parts.authority.filter(|authority| authority.as_str().bytes().all(|byte| !byte.is_ascii_uppercase()));
    parts.scheme.zip(authority)
}

/// Whether a host is this machine. Subdomains of `localhost` are, too (RFC 6761, 6.3).
fn is_loopback(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || address.is_some_and(|address| address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()))
}

/// What is wrong with a caller: one line for the person who meets it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It was led here by a name that is not this machine's.
    #[error("Requests for the host {0:?} are rejected; use 127.0.0.1 or localhost.")]
    Host(String),
    /// A web page sent it, of an origin that is not allowed.
    #[error("Requests from web pages of {0} are rejected.")]
    Page(String),
}

/// The callers that a server answers: by default the programs of this machine, and no web page.
#[derive(Clone, Debug)]
pub struct Callers {
    hosts: Vec<String>,
    origins: Origins,
}

impl Default for Callers {
    fn default() -> Self {
        Self { hosts: Vec::new(), origins: Origins::none() }
    }
}

impl Callers {
    /// Pages of these origins are answered, too.
    #[must_use]
    pub const fn with_pages(origins: Origins) -> Self {
        Self { hosts: Vec::new(), origins }
    }

    /// Requests for this host are answered, too, whatever the port: a name that this machine was given on purpose.
    #[must_use]
    pub fn at(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// # Errors
    /// When the request is not to be answered.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Foreign> {
        // The target's authority is the one that counts, where it has one (RFC 9112, 3.2.2).
        if let Some(authority) = uri.authority().filter(|authority| !self.serves(authority)) {
            return Err(Foreign::Host(authority.to_string()));
        }
        // A request without any comes from no browser.
        for host in headers.get_all(HOST) {
            let authority = Authority::try_from(host.as_bytes()).ok();
            if !authority.is_some_and(|authority| self.serves(&authority)) {
                return Err(Foreign::Host(String::from_utf8_lossy(host.as_bytes()).into_owned()));
            }
        }
        let from = |relation: &str| headers.get_all("sec-fetch-site").iter().any(|site| site == relation);
        for origin in headers.get_all(ORIGIN) {
            let origin = String::from_utf8_lossy(origin.as_bytes());
            // A form of a page whose policy is `no-referrer`, as pages of mailed links have, is posted with `null`. The browser
            // says that it is this server's own page; no page can say so itself.
            let own_page = origin == "null" && from("same-origin") && !self.origins.0.is_empty();
            if !own_page && !self.origins.allow(&origin) {
                return Err(Foreign::Page(origin.into_owned()));
            }
        }
        // What a page asks for without a script of its own (an image, a link) comes without `Origin`.
        let elsewhere = from("cross-site");
        if elsewhere && self.origins.0.is_empty() {
            return Err(Foreign::Page("another site".to_owned()));
        }
        Ok(())
    }

    fn serves(&self, authority: &Authority) -> bool {
        let host = authority.host();
        !authority.as_str().contains('@')
            && (is_loopback(host) || self.hosts.iter().any(|served| served.eq_ignore_ascii_case(host)))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn answered(callers: &Callers, uri: &str, pairs: &[(&'static str, &str)]) -> bool {
        callers.check(&uri.parse().unwrap(), &headers(pairs)).is_ok()
    }

    #[test]
    fn a_host_is_answered_when_it_is_this_machine() {
        let callers = Callers::default().at("users.example.com");
        for (host, expected) in [
            ("127.0.0.1:9000", true),
            ("127.0.0.1", true),
            ("localhost:9000", true),
            ("LocalHost", true),
            ("localhost.:9000", true),
            ("uploads.localhost:9000", true),
            ("[::1]:9000", true),
            ("users.example.com", true),
            ("USERS.example.com:443", true),
            ("evil.example", false),
            ("evil.example:9000", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("notlocalhost", false),
            ("127.0.0.1@evil.example", false),
            ("evil.example@127.0.0.1", false),
            ("10.0.0.1:9000", false),
            ("0.0.0.0:9000", false),
            ("[::2]", false),
            ("x.execute-api.127.0.0.1", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(answered(&callers, "/", &[("host", host)]), expected, "{host}");
        }
        assert!(answered(&callers, "/", &[]), "HTTP/1.0");
        assert!(!answered(&callers, "/", &[("host", "127.0.0.1"), ("host", "evil.example")]));
        assert!(!answered(&callers, "http://evil.example/", &[("host", "127.0.0.1")]));
        assert!(answered(&callers, "http://127.0.0.1/", &[("host", "127.0.0.1")]));
    }

    #[test]
    fn an_origin_is_answered_when_the_list_allows_it() {
        let origins = |list: &str| list.parse::<Origins>().unwrap();
        let listed = origins("https://app.example.com, http://localhost:3000");
        for (origins, origin, expected) in [
            (&Origins::default(), "http://localhost:3000", true),
            (&Origins::default(), "http://127.0.0.1:5173", true),
            (&Origins::default(), "https://localhost", true),
            (&Origins::default(), "http://[::1]:3000", true),
            (&Origins::default(), "http://app.localhost:3000", true),
            (&Origins::default(), "http://localhost.evil.example", false),
            (&Origins::default(), "http://127.0.0.1.evil.example:3000", false),
            (&Origins::default(), "http://localhost:3000@evil.example", false),
            (&Origins::default(), "http://evil.example#localhost", false),
            (&Origins::default(), "null", false),
            (&Origins::default(), "file://", false),
            (&Origins::default(), "", false),
            (&listed, "https://app.example.com", true),
            (&listed, "http://localhost:3000", true),
            (&listed, "http://localhost:3001", false),
            (&listed, "http://app.example.com", false),
            (&listed, "https://app.example.com:8443", false),
            (&listed, "https://app.example.com.evil.example", false),
            (&origins("https://*"), "https://anything.example", true),
            (&origins("https://*"), "http://anything.example", false),
            (&origins("*"), "null", true),
            (&Origins::none(), "http://127.0.0.1:9000", false),
            (&Origins::none().and("http://127.0.0.1:9000"), "http://127.0.0.1:9000", true),
        ] {
            assert_eq!(origins.allow(origin), expected, "{origin} of {origins:?}");
            let callers = Callers::with_pages(origins.clone());
            assert_eq!(answered(&callers, "/", &[("origin", origin)]), expected, "{origin} of {origins:?}");
        }
    }

    #[test]
    fn a_list_of_origins_holds_origins_only() {
        for list in [
            "",
            "app.example.com",
            "https://app.example.com/",
            "https://a.example,",
            "https://*.example.com",
            "nonsense",
        ] {
            assert!(list.parse::<Origins>().is_err(), "{list}");
        }
    }

    #[test]
    fn a_server_without_pages_answers_none_with_or_without_an_origin() {
        let programs = Callers::default();
        assert!(!answered(&programs, "/", &[("origin", "http://localhost:3000")]));
        assert!(!answered(&programs, "/", &[("sec-fetch-site", "cross-site")]));
        assert!(answered(&programs, "/", &[("sec-fetch-site", "none")]), "typed into a browser's address bar");
        assert!(answered(&Callers::with_pages(Origins::default()), "/", &[("sec-fetch-site", "cross-site")]), "a link");
    }
}
