//! Former systems that verify the passwords of accounts imported without a hash, and until when.

use url::Url;

use super::reader::Reader;
use crate::clock::Timestamp;

/// All of it is off unless set.
#[derive(Debug, Clone, Default)]
pub struct Legacy {
    /// `LEGACY_USER_POOL`: the id of a user pool of Amazon Cognito in this account and region.
    pub user_pool: Option<String>,
    /// `LEGACY_PASSWORD_URL`: an HTTPS endpoint of the team that verifies passwords.
    pub password_url: Option<String>,
    /// `LEGACY_PASSWORDS_UNTIL`: the time after which neither is asked, in RFC 3339.
    pub until: Option<Timestamp>,
}

impl Legacy {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let legacy = Self {
            user_pool: reader.optional("LEGACY_USER_POOL"),
            password_url: reader.optional("LEGACY_PASSWORD_URL"),
            until: reader.time("LEGACY_PASSWORDS_UNTIL"),
        };
        if let Some(pool) = &legacy.user_pool
            && !is_pool(pool)
        {
            reader
                .problems
                .push("LEGACY_USER_POOL must be the ID of a user pool, such as eu-central-1_a1B2c3D4e".to_owned());
        }
        if let Some(url) = &legacy.password_url
            && !is_endpoint(url)
        {
            reader
                .problems
                .push("LEGACY_PASSWORD_URL must be an https URL without credentials or a fragment".to_owned());
        }
        // Without an end, a forgotten former system would be asked forever, and could belong to someone else by then.
        if legacy.until.is_none() && (legacy.user_pool.is_some() || legacy.password_url.is_some()) {
            reader.problems.push(
                "LEGACY_PASSWORDS_UNTIL is not set: set the time after which the former system is no longer asked"
                    .to_owned(),
            );
        }
        legacy
    }
}

/// Passwords are sent there: https only, except to this machine. Its address is checked when connecting.
fn is_endpoint(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        (url.scheme() == "https" || url.scheme() == "http" && local)
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    })
}

/// As Cognito makes them: the region, and up to 55 letters and digits.
fn is_pool(id: &str) -> bool {
    id.split_once('_').is_some_and(|(region, name)| {
        !region.is_empty()
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && (1..=55).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{complete, read};

    #[test]
    fn a_legacy_system_requires_the_time_until_which_it_is_asked() {
        let with = |more: &[(&'static str, &'static str)]| {
            let mut variables = complete();
            variables.extend(more.iter().copied());
            read(&variables).map(|config| config.legacy).map_err(|error| error.to_string())
        };
        let until = ("LEGACY_PASSWORDS_UNTIL", "2027-06-30T00:00:00Z");
        let pool = ("LEGACY_USER_POOL", "eu-central-1_a1B2c3D4e");
        assert_eq!(with(&[until, pool]).unwrap().user_pool.as_deref(), Some(pool.1));
        assert!(with(&[]).unwrap().until.is_none());
        for (more, named) in [
            (&[pool][..], "LEGACY_PASSWORDS_UNTIL"),
            (&[("LEGACY_PASSWORD_URL", "https://old.example.com/check")], "LEGACY_PASSWORDS_UNTIL"),
            (&[until, ("LEGACY_USER_POOL", "pool")], "LEGACY_USER_POOL"),
            (&[until, ("LEGACY_PASSWORD_URL", "old.example.com")], "LEGACY_PASSWORD_URL"),
            (&[until, ("LEGACY_PASSWORD_URL", "http://old.example.com/check")], "LEGACY_PASSWORD_URL"),
            (&[until, ("LEGACY_PASSWORD_URL", "https://user:word@old.example.com/")], "LEGACY_PASSWORD_URL"),
            (&[("LEGACY_PASSWORDS_UNTIL", "in June")], "LEGACY_PASSWORDS_UNTIL"),
        ] {
            let problem = with(more).unwrap_err();
            assert!(problem.contains(named), "{problem}");
        }
    }
}
