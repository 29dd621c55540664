//! Custom claims in access tokens.

use std::str::FromStr;

use serde_json::{Map, Value};

use crate::domain::user::User;

/// Maximum size of the claims in a token in bytes of compact JSON: API Gateway accepts 10,240 bytes of request line and headers.
pub const MAX_CLAIMS: usize = 2048;
/// Reserved claims (RFC 7519, 4.1; RFC 9068, 2.2; RFC 8693, 4; `OpenID` Connect Core, 2 and 5.1). The team's claims are separate,
/// under `ext`, and must still have other names, so that a verifier that flattens them cannot be fooled.
const RESERVED: &[&str] = &[
    "acr",
    "act",
    "address",
    "admin",
    "amr",
    "at_hash",
    "aud",
    "auth_req_id",
    "auth_time",
    "authorization_details",
    "azp",
    "birthdate",
    "c_hash",
    "client_id",
    "cnf",
    "email",
    "email_verified",
    "entitlements",
    "events",
    "exp",
    "ext",
    "family_name",
    "gender",
    "given_name",
    "group",
    "groups",
    "iat",
    "is_admin",
    "iss",
    "jti",
    "locale",
    "may_act",
    "middle_name",
    "name",
    "nbf",
    "nickname",
    "nonce",
    "permissions",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "realm_access",
    "resource_access",
    "role",
    "roles",
    "scope",
    "scp",
    "sid",
    "sub",
    "sub_id",
    "sub_jwk",
    "toe",
    "token_use",
    "txn",
    "typ",
    "updated_at",
    "username",
    "vc",
    "vot",
    "vp",
    "vtm",
    "website",
    "zoneinfo",
];

/// `CLAIMS`: account data to include in access tokens under `ext`, as a comma-separated list of `name:source`. A source is
/// `external_id`, or a path in `app` or `profile`, such as `app.plan` or `app.billing.tier`.
#[derive(Debug, Clone, Default)]
pub struct ExtraClaims(Vec<(String, Place)>);

#[derive(Debug, Clone)]
enum Place {
    ExternalId,
    App(Vec<String>),
    Profile(Vec<String>),
}

impl ExtraClaims {
    /// The claims of an account whose values exist.
    #[must_use]
    pub fn of(&self, user: &User) -> Map<String, Value> {
        let claims = self.0.iter().filter_map(|(name, place)| {
            let value = match place {
                Place::ExternalId => user.external_id.as_ref().map(|id| Value::from(id.as_str())),
                Place::App(path) => user.app.get(path).cloned(),
                Place::Profile(path) => user.profile.get(path).cloned(),
            };
            value.map(|value| (name.clone(), value))
        });
        claims.collect()
    }

    /// Whether the claims of an account fit into a token.
    #[must_use]
    pub fn fit(&self, user: &User) -> bool {
        size(&self.of(user)) <= MAX_CLAIMS
    }

    /// The claims of an account, or as many as fit: the configuration may have changed since they were stored.
    #[must_use]
    pub fn that_fit(&self, user: &User) -> Map<String, Value> {
        let mut claims = Map::new();
        for (name, value) in self.of(user) {
            claims.insert(name.clone(), value);
            if size(&claims) > MAX_CLAIMS {
                claims.remove(&name);
                tracing::error!(claim = name, user.id = %user.id, "a claim was left out of an access token because it does not fit");
            }
        }
        claims
    }
}

fn size(claims: &Map<String, Value>) -> usize {
    if claims.is_empty() { 0 } else { Value::Object(claims.clone()).to_string().len() }
}

impl FromStr for ExtraClaims {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > MAX_CLAIMS {
            return Err(format!("is longer than {MAX_CLAIMS} bytes"));
        }
        let claims: Vec<_> = text.split(',').map(|entry| claim(entry.trim())).collect::<Result<_, _>>()?;
        for (at, (name, _)) in claims.iter().enumerate() {
            if claims[..at].iter().any(|(other, _)| other == name) {
                return Err(format!("contains `{name}` twice"));
            }
        }
        Ok(Self(claims))
    }
}

fn claim(entry: &str) -> Result<(String, Place), String> {
    let (name, place) = entry.split_once(':').ok_or_else(|| format!("`{entry}` is not name:source"))?;
    let is_name = |name: &str| {
        let mut characters = name.bytes();
        characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && characters.all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
    };
    if !is_name(name) || name.len() > 64 {
        return Err(format!("`{name}` is not a valid claim name"));
    }
    if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("`{name}` is a reserved claim name"));
    }
    let path = |path: &str| {
        let path: Vec<String> = path.split('.').map(ToOwned::to_owned).collect();
        if path.iter().all(|name| !name.is_empty()) {
            Ok(path)
        } else {
            Err(format!("`{place}` is not a valid source"))
        }
    };
    let place = match place.split_once('.') {
        None if place == "external_id" => Place::ExternalId,
        Some(("app", rest)) => Place::App(path(rest)?),
        Some(("profile", rest)) => Place::Profile(path(rest)?),
        Some(("internal", _)) => return Err("`internal` cannot be used in tokens".to_owned()),
        _ => {
            return Err(format!(
                "`{place}` is not a valid source: use `external_id`, or `app.` or `profile.` followed by a path"
            ));
        }
    };
    Ok((name.to_owned(), place))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::email::EmailAddress;
    use crate::domain::metadata::{ExternalId, Metadata};
    use crate::domain::name::UserName;
    use crate::domain::password::PasswordHash;

    fn user(app: &Value) -> User {
        let hash: PasswordHash = serde_json::from_str("\"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$b3V0cHV0\"").unwrap();
        let (name, email) = (UserName::parse("Ada").unwrap(), EmailAddress::parse("ada@example.com").unwrap());
        let app = Metadata::parse(app.as_object().unwrap().clone()).unwrap();
        let external_id = Some(ExternalId::parse("crm-7").unwrap());
        User { external_id, app, ..User::new(name, email, hash, Timestamp::from_seconds(1_800_000_000)) }
    }

    #[test]
    fn claims_are_the_values_that_are_there() {
        let claims: ExtraClaims =
            "plan:app.plan.name, crm:external_id,level:profile.level,tier:app.tier".parse().unwrap();
        let claims = claims.of(&user(&json!({ "plan": { "name": "pro" }, "tier": [1, 2] })));
        assert_eq!(Value::Object(claims), json!({ "plan": "pro", "crm": "crm-7", "tier": [1, 2] }));
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let claims: ExtraClaims = "a:app.a,b:app.b,c:app.c".parse().unwrap();
        let user = user(&json!({ "a": "x".repeat(1500), "b": "y".repeat(1500), "c": "z" }));
        assert!(!claims.fit(&user));
        assert_eq!(claims.that_fit(&user).keys().collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn names_with_a_meaning_and_places_that_are_none_are_refused() {
        let long = format!("a:app.{}", "x".repeat(MAX_CLAIMS));
        for text in [
            "plan",
            "plan:",
            ":app.plan",
            "sub:app.sub",
            "Roles:app.roles",
            "ext:app.x",
            "1a:app.a",
            "a b:app.a",
            "a:internal.risk",
            "a:app",
            "a:app.",
            "a:app..b",
            "a:email",
            "a:app.x,a:app.y",
            &long,
        ] {
            assert!(text.parse::<ExtraClaims>().is_err(), "{text}");
        }
    }
}
