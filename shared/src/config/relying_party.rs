//! Passkeys: where they are good.

use aws_lc_rs::digest::SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::reader::Reader;

/// Where passkeys are good (`WebAuthn` level 3, 5.4.2 and 13.4.9).
#[derive(Debug, Clone)]
pub struct RelyingParty {
    /// `RELYING_PARTY_ID`: the domain that passkeys are bound to, that of `PUBLIC_URL` unless set. With another one all that
    /// were added are worthless.
    pub id: String,
    /// `RELYING_PARTY_ORIGINS`: where pages are served that may use them, and Android apps that may, with commas in between; the
    /// origin of `PUBLIC_URL` unless set. Each page is at the id or below it.
    pub origins: Vec<Url>,
}

/// What the origin of an Android app begins with; the SHA-256 of the certificate that signs it follows, in URL-safe base64
/// (<https://developer.android.com/identity/passkeys/create-passkeys>). An app on iOS has the origin `https://` and the id.
const ANDROID_APP: &str = "android:apk-key-hash:";

impl RelyingParty {
    /// Where the public URL is an address instead of a domain, as on one machine, browsers take `localhost` alone.
    fn at(public_url: &str) -> Option<Self> {
        let mut origin = Url::parse(public_url).ok()?;
        if origin.domain().is_none() {
            origin.set_host(Some("localhost")).ok()?;
        }
        origin.set_path("");
        Some(Self { id: origin.domain()?.to_owned(), origins: vec![origin] })
    }

    /// An origin as a browser or Android names it: of a page that may use passkeys at all, as others have no secure context, or
    /// of an app.
    fn origin(text: &str) -> Option<Url> {
        if let Some(hash) = text.strip_prefix(ANDROID_APP) {
            let is_hash = URL_SAFE_NO_PAD.decode(hash).is_ok_and(|hash| hash.len() == SHA256.output_len());
            return Url::parse(text).ok().filter(|_| is_hash);
        }
        let origin = Url::parse(text).ok()?;
        let domain = origin.domain()?;
        let secure = origin.scheme() == "https" || (origin.scheme() == "http" && domain == "localhost");
        // Nothing but scheme, host and port.
        let bare = origin.as_str().strip_suffix('/') == Some(&origin.origin().ascii_serialization());
        (secure && bare).then_some(origin)
    }

    /// A top-level domain is above no other: browsers refuse it. To an app the domain is tied by a file that it serves.
    fn covers(&self, origin: &Url) -> bool {
        let above = self.id.contains('.') || self.id == "localhost";
        origin.domain().is_none_or(|domain| {
            domain == self.id || above && domain.strip_suffix(&self.id).is_some_and(|below| below.ends_with('.'))
        })
    }

    pub(super) fn read(reader: &mut Reader<'_>, public_url: &str) -> Self {
        let default = Self::at(public_url).unwrap_or_else(|| Self { id: String::new(), origins: vec![] });
        let id = reader.optional("RELYING_PARTY_ID").unwrap_or(default.id);
        let origins = match reader.optional("RELYING_PARTY_ORIGINS") {
            Some(list) => list.split(',').map(str::trim).filter_map(|entry| listed(reader, entry)).collect(),
            None => default.origins,
        };
        let party = Self { id, origins };
        // Where only apps are listed, their domain serves pages all the same.
        let own = party.origins.iter().all(|origin| origin.domain().is_none()).then(|| format!("https://{}", party.id));
        let is_domain = own.is_none_or(|own| party.origins.is_empty() || Self::origin(&own).is_some());
        if !is_domain || !party.origins.iter().all(|origin| party.covers(origin)) {
            reader.problems.push(
                "RELYING_PARTY_ID must be the domain, or a parent domain, of every page in RELYING_PARTY_ORIGINS"
                    .into(),
            );
        }
        party
    }
}

fn listed(reader: &mut Reader<'_>, entry: &str) -> Option<Url> {
    let origin = RelyingParty::origin(entry);
    if origin.is_none() {
        reader.problems.push(format!(
            "RELYING_PARTY_ORIGINS contains `{entry}`, which is neither an https origin without a path nor {ANDROID_APP} followed \
             by the SHA-256 of an app's certificate in URL-safe base64 (43 characters)"
        ));
    }
    origin
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::tests::{complete, read};
    use super::*;

    #[test]
    fn passkeys_are_good_at_the_public_url_unless_said_otherwise() {
        let mut variables = complete();
        let party = |variables: &HashMap<_, _>| {
            let RelyingParty { id, origins } = read(variables).unwrap().relying_party;
            (id, origins.iter().map(|origin| origin.origin().ascii_serialization()).collect::<Vec<_>>())
        };
        let origins = |list: &[&str]| list.iter().map(|origin| String::from(*origin)).collect::<Vec<_>>();
        assert_eq!(party(&variables), ("api.example.com".into(), origins(&["https://api.example.com"])));
        variables.insert("PUBLIC_URL", "http://127.0.0.1:9000");
        assert_eq!(party(&variables), ("localhost".into(), origins(&["http://localhost:9000"])));
        variables.insert("RELYING_PARTY_ID", "example.com");
        variables.insert("RELYING_PARTY_ORIGINS", "https://app.example.com, https://example.com:8443");
        let both = origins(&["https://app.example.com", "https://example.com:8443"]);
        assert_eq!(party(&variables), ("example.com".into(), both));
        for (id, listed) in [
            ("example.com", "https://badexample.com"),
            ("com", "https://example.com"),
            ("app.example.com", "https://example.com"),
            ("example.com", "http://app.example.com"),
            ("example.com", "https://app.example.com/login"),
            ("example.com", "https://app.example.com,"),
            ("example.com", "https://app.example.com#top"),
            ("example.com", "https://:secret@app.example.com"),
            ("example.com", "app.example.com"),
            ("127.0.0.1", "http://127.0.0.1:9000"),
        ] {
            variables.insert("RELYING_PARTY_ID", id);
            variables.insert("RELYING_PARTY_ORIGINS", listed);
            assert!(read(&variables).unwrap_err().to_string().contains("RELYING_PARTY"), "{id} for {listed}");
        }
    }

    /// Reported by a user of `FusionAuth` (issue 3576), whose app's origin was no URL to it.
    #[test]
    fn android_apps_are_listed_by_the_hash_of_their_certificate() {
        const APP: &str = "android:apk-key-hash:NztP-sfNqy2_XIe4erm4qR-w4eRJ2Dl6JduFbPCYHik";
        let party = |id: &str, listed: &str| {
            let mut variables = complete();
            variables.extend([("RELYING_PARTY_ID", id), ("RELYING_PARTY_ORIGINS", listed)]);
            read(&variables).map(|config| config.relying_party)
        };
        for listed in [APP.to_owned(), format!("https://example.com,{APP}"), format!("{APP}, https://app.example.com")]
        {
            let origins = party("example.com", &listed).unwrap().origins;
            assert!(origins.iter().any(|origin| origin.as_str() == APP), "{listed}");
        }
        let fingerprint =
            "37:3B:4F:FA:C7:CD:AB:2D:BF:5C:87:B8:7A:B9:B8:A9:1F:B0:E1:E4:49:D8:39:7A:25:DB:85:6C:F0:98:1E:29";
        for malformed in [
            "android:apk-key-hash:",
            &format!("{APP}="),
            &APP[..APP.len() - 1],
            &APP.replace('_', "/"),
            &APP.replace("android:", "ios:"),
            &APP.to_uppercase(),
            // A SHA-1, as apps had before, and a SHA-256 as `keytool` prints it.
            "android:apk-key-hash:2jmj7l5rSw0yVb_vlWAYkK_YBwk",
            &format!("android:apk-key-hash:{fingerprint}"),
            "ios:bundle-id:com.example.app",
        ] {
            let problem = party("example.com", &format!("https://example.com,{malformed}")).unwrap_err().to_string();
            assert!(problem.contains("RELYING_PARTY_ORIGINS") && problem.contains(malformed), "{problem}");
        }
        for id in ["127.0.0.1", "https://example.com", "example.com/app", "example com"] {
            assert!(party(id, APP).unwrap_err().to_string().contains("RELYING_PARTY_ID"), "{id}");
        }
    }
}
