//! Tokens, and the clients allowed to introspect them.

use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use super::BASE_PATH;
use super::front::sha256;
use super::reader::Reader;
use crate::domain::keys::Algorithm;

/// The content of access tokens, and how they are signed.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// `PUBLIC_URL` and the base path: the `iss` of access tokens.
    pub issuer: String,
    /// `FORMER_PUBLIC_URLS`, each with the base path: tokens that were issued there are accepted until they expire.
    pub former_issuers: Vec<String>,
    /// `TOKEN_AUDIENCE`: the `aud` of access tokens, the issuer unless set.
    pub audience: String,
    /// `CLIENT_ID`: the `client_id` of access tokens (RFC 9068, 2.2), which is that of the product's own front end: `web`
    /// unless set.
    pub client_id: String,
    /// `SIGNING_ALGORITHM`: `ES256` (default), `RS256` or `EdDSA`, for keys made from now on.
    pub algorithm: Algorithm,
}

impl Tokens {
    pub(super) fn read(reader: &mut Reader<'_>, issuer: String) -> Self {
        let former = reader.optional("FORMER_PUBLIC_URLS").unwrap_or_default();
        let former = former.split(',').map(|url| url.trim().trim_end_matches('/')).filter(|url| !url.is_empty());
        Self {
            former_issuers: former.map(|url| format!("{url}{BASE_PATH}")).collect(),
            audience: reader.optional("TOKEN_AUDIENCE").unwrap_or_else(|| issuer.clone()),
            issuer,
            client_id: client_id(reader),
            algorithm: reader.parsed("SIGNING_ALGORITHM").unwrap_or(Algorithm::Es256),
        }
    }
}

impl Tokens {
    /// All valid `iss` of tokens.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.issuer.as_str()).chain(self.former_issuers.iter().map(String::as_str))
    }

    /// All valid `aud` of tokens: if it is the issuer, also the former issuers.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        let former = self.former_issuers.iter().filter(|_| self.audience == self.issuer);
        std::iter::once(self.audience.as_str()).chain(former.map(String::as_str))
    }
}

/// Visible ASCII characters (RFC 6749, A.1, except the space).
fn client_id(reader: &mut Reader<'_>) -> String {
    let id = reader.optional("CLIENT_ID").unwrap_or_else(|| "web".into());
    if id.len() > 100 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        reader.problems.push("CLIENT_ID must be 1 to 100 visible ASCII characters".into());
    }
    id
}

/// `INTROSPECTION_CLIENTS`: clients allowed to call token introspection, `id:sha256,id:sha256`. The configuration contains only the
/// SHA-256 of a secret, in hex: secrets are 256 random bits, which need no slow hash.
#[derive(Debug, Clone, Default)]
pub struct IntrospectionClients(Vec<(String, [u8; 32])>);

impl IntrospectionClients {
    /// Whether this is the secret of that client; the time does not depend on which configured client it is.
    #[must_use]
    pub fn recognise(&self, id: &str, secret: &str) -> bool {
        let hash = digest(&SHA256, secret.as_bytes());
        self.0.iter().fold(false, |known, (configured, expected)| {
            known | ((configured == id) & verify_slices_are_equal(hash.as_ref(), expected).is_ok())
        })
    }
}

impl FromStr for IntrospectionClients {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let client = |entry: &str| {
            let (id, hash) = entry.trim().split_once(':')?;
            let named = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
            let expected = sha256(hash)?;
            named.then(|| (id.to_owned(), expected))
        };
        let clients = text.split(',').map(client).collect::<Option<_>>();
        clients.map(Self).ok_or("must be a comma-separated list of id:sha256, with each hash in 64 hex digits")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{complete, read};
    use super::*;

    #[test]
    fn a_service_is_recognised_by_its_own_secret_alone() {
        // `printf first | sha256sum`, `printf second | sha256sum`
        let first = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";
        let second = "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4";
        let clients: IntrospectionClients = format!("orders:{first}, billing:{second}").parse().unwrap();
        for (id, secret, known) in [
            ("orders", "first", true),
            ("billing", "second", true),
            ("orders", "second", false),
            ("billing", "first", false),
            ("orders", "", false),
            ("orders", first, false),
            ("", "first", false),
            ("nobody", "first", false),
        ] {
            assert_eq!(clients.recognise(id, secret), known, "{id} {secret}");
        }
        assert!(!IntrospectionClients::default().recognise("", ""));
        for text in [
            "orders",
            "orders:",
            "orders:secret",
            &format!("orders:{first}x"),
            &format!(":{first}"),
            &format!("a b:{first}"),
        ] {
            assert!(text.parse::<IntrospectionClients>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_client_id_is_one_visible_word() {
        let mut variables = complete();
        let longest = "x".repeat(100);
        for id in ["web", "https://app.example.com/client", "7fa2-~!", &longest] {
            variables.insert("CLIENT_ID", id);
            assert_eq!(read(&variables).unwrap().tokens.client_id, id);
        }
        let too_long = "x".repeat(101);
        for id in ["the web", " web", "w\u{f6}b", "web\n", &too_long] {
            variables.insert("CLIENT_ID", id);
            assert!(read(&variables).unwrap_err().to_string().contains("CLIENT_ID"), "{id}");
        }
    }
}
