//! Where accounts were before: who is asked about passwords that no hash came along of, and until when.

use url::Url;

use super::reader::Reader;
use crate::clock::Timestamp;

/// All of it is off unless set.
#[derive(Debug, Clone, Default)]
pub struct Legacy {
    /// `LEGACY_USER_POOL`: the id of a user pool of Amazon Cognito in this account and region.
    pub user_pool: Option<String>,
    /// `LEGACY_PASSWORD_URL`: an HTTPS endpoint of the team's own that answers whether a password is right.
    pub password_url: Option<String>,
    /// `LEGACY_PASSWORDS_UNTIL`: the last moment at which either is asked, in RFC 3339.
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
            reader.problems.push("LEGACY_USER_POOL: write the id of a user pool, as eu-central-1_a1B2c3D4e".to_owned());
        }
        if let Some(url) = &legacy.password_url
            && !is_endpoint(url)
        {
            reader
                .problems
                .push("LEGACY_PASSWORD_URL must be an https URL without credentials and fragment".to_owned());
        }
        // What has no end is asked for ever: an old system that is forgotten, and may be somebody else's by then.
        if legacy.until.is_none() && (legacy.user_pool.is_some() || legacy.password_url.is_some()) {
            reader
                .problems
                .push("LEGACY_PASSWORDS_UNTIL is not set: say when the old system is asked no more".to_owned());
        }
        legacy
    }
}

/// Passwords are sent there: by https, but to this machine. Its address is looked at when it is connected to.
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
    fn an_old_system_is_asked_until_a_moment_that_has_to_be_set() {
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
