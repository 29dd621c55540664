//! URLs that requests may go to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::uri::PathAndQuery;
use rustls::pki_types::DnsName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Position, Url};

use crate::is_public;

/// Characters of a URL in its normal form, which is ASCII.
pub const MAX_LENGTH: usize = 2048;

/// Ports below are IANA's system ports (RFC 6335, 6), of other protocols: no URL makes the service connect to a mail or SSH server.
const FIRST_USER_PORT: u16 = 1024;

/// Where requests may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// The public internet, by https.
    Public,
    /// For a laptop: also http, and the loopback addresses of this machine. Private networks are refused all the same.
    AlsoThisMachine,
}

impl Targets {
    /// Whether a connection may be made to this address.
    #[must_use]
    pub fn admit(self, address: IpAddr) -> bool {
        is_public(address) || self == Self::AlsoThisMachine && address.is_loopback()
    }
}

/// An absolute https URL of a host with a public address or with a full domain name, in the normal form of the
/// [URL standard](https://url.spec.whatwg.org), which is how it is shown and stored: `HTTPS://Bücher.example` is
/// `https://xn--bcher-kva.example/`.
///
/// The addresses of a name are checked when a connection is made, each time.
///
/// Deserializing is for stored URLs and accepts those of either [`Targets`]; a [`Client`](crate::Client) checks them again, by
/// its own. What a person types goes through [`WebhookUrl::parse`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WebhookUrl(Url);

/// Why a text is not accepted as the URL of a webhook: a sentence for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    #[error("A webhook URL can have at most {MAX_LENGTH} characters.")]
    TooLong,
    #[error("This is not a valid URL. Example: https://hooks.example.com/users.")]
    Malformed,
    #[error("A webhook URL must begin with https://.")]
    Scheme,
    #[error("A webhook URL cannot contain a user name or password.")]
    Credentials,
    #[error("A webhook URL cannot contain a fragment (the part after #).")]
    Fragment,
    #[error("The host of a webhook URL must be a full domain name, such as hooks.example.com, or a public IP address.")]
    Host,
    #[error("The IP address of a webhook URL must be on the public internet.")]
    Address,
    #[error("The port of a webhook URL must be omitted, or from {FIRST_USER_PORT} to 65535.")]
    Port,
}

impl WebhookUrl {
    /// Parses what a person typed.
    ///
    /// # Errors
    /// When requests must not go there.
    pub fn parse(text: &str, targets: Targets) -> Result<Self, UrlError> {
        let url = Self::read(text)?;
        url.check(targets)?;
        Ok(url)
    }

    /// As it is shown and stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn host(&self) -> Option<Host<&str>> {
        self.0.host()
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.0.port_or_known_default()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The field `Host` of a request (RFC 9110, 7.2).
    pub(crate) fn authority(&self) -> &str {
        &self.0[Position::BeforeHost..Position::AfterPort]
    }

    /// The target of a request (RFC 9112, 3.2.1).
    pub(crate) fn path_and_query(&self) -> &str {
        &self.0[Position::BeforePath..Position::AfterQuery]
    }

    /// All that does not depend on the targets.
    fn read(text: &str) -> Result<Self, UrlError> {
        if text.len() > MAX_LENGTH {
            return Err(UrlError::TooLong);
        }
        // The URL standard drops them silently, so the stored URL would not be the one that was typed.
        if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(UrlError::Malformed);
        }
        let url = Self(Url::parse(text).map_err(|_| UrlError::Malformed)?);
        if url.as_str().len() > MAX_LENGTH {
            return Err(UrlError::TooLong);
        }
        if !matches!(url.0.scheme(), "https" | "http") {
            return Err(UrlError::Scheme);
        }
        if !url.0.username().is_empty() || url.0.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if url.0.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        // `None` is the scheme's own port.
        if url.0.port().is_some_and(|port| port < FIRST_USER_PORT) {
            return Err(UrlError::Port);
        }
        PathAndQuery::from_str(url.path_and_query()).map_err(|_| UrlError::Malformed)?;
        Ok(url)
    }

    pub(crate) fn check(&self, targets: Targets) -> Result<(), UrlError> {
        if !self.is_https() && targets == Targets::Public {
            return Err(UrlError::Scheme);
        }
        let address = match self.host() {
            Some(Host::Domain(name)) => return if is_full(name, targets) { Ok(()) } else { Err(UrlError::Host) },
            Some(Host::Ipv4(address)) => IpAddr::from(address),
            Some(Host::Ipv6(address)) => IpAddr::from(address),
            None => return Err(UrlError::Host),
        };
        if targets.admit(address) { Ok(()) } else { Err(UrlError::Address) }
    }
}

/// A name of one label is looked up in the search domains of the machine. `localhost` is reserved (RFC 6761, 6.3). No certificate
/// has a name that ends with a dot.
fn is_full(name: &str, targets: Targets) -> bool {
    let this_machine = targets == Targets::AlsoThisMachine && name == "localhost";
    DnsName::try_from(name).is_ok() && !name.ends_with('.') && (name.contains('.') || this_machine)
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebhookUrl").field(&self.as_str()).finish()
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for WebhookUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text, Targets::AlsoThisMachine).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_public_https_url_is_taken_in_its_normal_form() {
        for (typed, shown) in [
            ("https://hooks.example.com", "https://hooks.example.com/"),
            ("HTTPS://Hooks.Example.COM:443/Users?a=1&b=%20", "https://hooks.example.com/Users?a=1&b=%20"),
            ("https://hooks.example.com:8443/a/../b", "https://hooks.example.com:8443/b"),
            (
                "https://hooks.example.com/a|b^c{d}\"e'?q=`|^{}\\",
                "https://hooks.example.com/a|b^c%7Bd%7D%22e'?q=`|^{}\\",
            ),
            ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
            ("https://_hooks.example.com/", "https://_hooks.example.com/"),
            ("https://1.1.1.1/", "https://1.1.1.1/"),
            ("https://0x01010101/", "https://1.1.1.1/"),
            ("https://[2606:4700:4700::1111]:1024/", "https://[2606:4700:4700::1111]:1024/"),
            // By what it resolves to, when a connection is made.
            ("https://metadata.google.internal/", "https://metadata.google.internal/"),
            ("https://app.localhost/", "https://app.localhost/"),
        ] {
            let url = WebhookUrl::parse(typed, Targets::Public).unwrap();
            assert_eq!(url.to_string(), shown, "{typed}");
            assert_eq!(WebhookUrl::parse(shown, Targets::Public), Ok(url), "{shown} is taken again");
        }
    }

    #[test]
    fn what_is_no_public_https_url_is_refused_with_its_reason() {
        for (typed, reason) in [
            ("", UrlError::Malformed),
            ("hooks.example.com", UrlError::Malformed),
            ("/users", UrlError::Malformed),
            ("https://", UrlError::Malformed),
            ("https://hooks .example.com/", UrlError::Malformed),
            (" https://hooks.example.com/", UrlError::Malformed),
            ("https://hooks.example.com/\n", UrlError::Malformed),
            ("https://hooks.exam\tple.com/", UrlError::Malformed),
            ("https://hooks.example.com:65536/", UrlError::Malformed),
            ("https://[::1", UrlError::Malformed),
            ("https://256.0.0.1/", UrlError::Malformed),
            ("https://[fe80::1%25eth0]/", UrlError::Malformed),
            ("http://hooks.example.com/", UrlError::Scheme),
            ("ftp://hooks.example.com/", UrlError::Scheme),
            ("file:///etc/passwd", UrlError::Scheme),
            ("data:text/plain,a", UrlError::Scheme),
            ("gopher://hooks.example.com/", UrlError::Scheme),
            ("https://ada@hooks.example.com/", UrlError::Credentials),
            ("https://:secret@hooks.example.com/", UrlError::Credentials),
            ("https://hooks.example.com@127.0.0.1/", UrlError::Credentials),
            ("https://hooks.example.com/#", UrlError::Fragment),
            ("https://hooks.example.com/#a", UrlError::Fragment),
            ("https://hooks.example.com:0/", UrlError::Port),
            ("https://hooks.example.com:22/", UrlError::Port),
            ("https://hooks.example.com:1023/", UrlError::Port),
            ("https://localhost/", UrlError::Host),
            ("https://LOCALHOST/", UrlError::Host),
            ("https://intranet/", UrlError::Host),
            ("https://com./", UrlError::Host),
            ("https://hooks.example.com./", UrlError::Host),
            ("https://hooks..example.com/", UrlError::Host),
            ("https://-hooks.example.com/", UrlError::Host),
            ("https://127.0.0.1/", UrlError::Address),
            ("https://127.0.0.1./", UrlError::Address),
            ("https://127.1/", UrlError::Address),
            ("https://2130706433/", UrlError::Address),
            ("https://0x7f000001/", UrlError::Address),
            ("https://0177.0.0.01/", UrlError::Address),
            ("https://017700000001/", UrlError::Address),
            ("https://0x7f.0.1/", UrlError::Address),
            ("https://１２７.0.0.1/", UrlError::Address),
            ("https://127。0。0。1/", UrlError::Address),
            ("https://%31%32%37.0.0.1/", UrlError::Address),
            ("https://0/", UrlError::Address),
            ("https://0.0.0.0/", UrlError::Address),
            ("https://10.0.0.1/", UrlError::Address),
            ("https://169.254.169.254/latest/meta-data/", UrlError::Address),
            ("https://2852039166/", UrlError::Address),
            ("https://192.168.0.1/", UrlError::Address),
            ("https://[::]/", UrlError::Address),
            ("https://[::1]/", UrlError::Address),
            ("https://[0:0:0:0:0:0:0:1]/", UrlError::Address),
            ("https://[::ffff:127.0.0.1]/", UrlError::Address),
            ("https://[::ffff:7f00:1]/", UrlError::Address),
            ("https://[::127.0.0.1]/", UrlError::Address),
            ("https://[64:ff9b::7f00:1]/", UrlError::Address),
            ("https://[fd00:ec2::254]/", UrlError::Address),
            ("https://[fe80::1]/", UrlError::Address),
        ] {
            assert_eq!(WebhookUrl::parse(typed, Targets::Public), Err(reason), "{typed:?}");
        }
    }

    #[test]
    fn a_url_has_at_most_2048_characters() {
        let of_length = |length: usize| format!("https://hooks.example.com/{}", "a".repeat(length - 26));
        assert!(WebhookUrl::parse(&of_length(MAX_LENGTH), Targets::Public).is_ok());
        assert_eq!(WebhookUrl::parse(&of_length(MAX_LENGTH + 1), Targets::Public), Err(UrlError::TooLong));
        // Short as typed, and three times as long in its normal form.
        let escaped = format!("https://hooks.example.com/{}", "\"".repeat(1000));
        assert_eq!(WebhookUrl::parse(&escaped, Targets::Public), Err(UrlError::TooLong));
    }

    #[test]
    fn on_a_laptop_this_machine_is_taken_and_no_other_private_one() {
        for (typed, taken) in [
            ("http://127.0.0.1:9000/hooks", Ok(())),
            ("http://127.1.2.3/", Ok(())),
            ("http://[::1]:9000/", Ok(())),
            ("http://localhost:9000/", Ok(())),
            ("https://localhost/", Ok(())),
            ("http://hooks.example.com/", Ok(())),
            ("https://1.1.1.1/", Ok(())),
            ("http://intranet/", Err(UrlError::Host)),
            ("http://localhost./", Err(UrlError::Host)),
            ("http://0.0.0.0:9000/", Err(UrlError::Address)),
            ("http://[::ffff:127.0.0.1]/", Err(UrlError::Address)),
            ("http://10.0.0.1/", Err(UrlError::Address)),
            ("http://192.168.0.1/", Err(UrlError::Address)),
            ("http://169.254.169.254/", Err(UrlError::Address)),
            ("http://127.0.0.1:22/", Err(UrlError::Port)),
            ("ftp://127.0.0.1/", Err(UrlError::Scheme)),
        ] {
            assert_eq!(WebhookUrl::parse(typed, Targets::AlsoThisMachine).map(|_| ()), taken, "{typed:?}");
        }
    }

    #[test]
    fn it_is_stored_as_a_string() {
        let url: WebhookUrl = serde_json::from_str("\"https://Hooks.example.com\"").unwrap();
        assert_eq!(serde_json::to_string(&url).unwrap(), "\"https://hooks.example.com/\"");
        let error = serde_json::from_str::<WebhookUrl>("\"https://10.0.0.1/\"").unwrap_err();
        assert!(error.to_string().starts_with(&UrlError::Address.to_string()), "{error}");
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_taken_again_as_shown_and_can_be_requested(
            host in "[a-zA-Z0-9.\\-_ü\\[\\]:%@\\\\]{1,24}",
            rest in "[ -~é]{0,24}",
        ) {
            if let Ok(url) = WebhookUrl::parse(&format!("https://{host}/{rest}"), Targets::Public) {
                prop_assert_eq!(&WebhookUrl::parse(url.as_str(), Targets::Public), &Ok(url.clone()));
                let request = http::Request::post(url.path_and_query()).header("host", url.authority()).body(());
                prop_assert!(request.is_ok(), "{url}");
            }
        }
    }
}
