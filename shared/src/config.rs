//! The configuration: read once, at cold start, from the environment. Each field's doc names its variable;
//! whatever is missing or malformed is reported by that name, all of it at once.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::domain::email::EmailAddress;
use crate::domain::keys::Algorithm;
use crate::domain::limit::{Limit, Rate};
use crate::domain::mailbox::Mailbox;
use crate::domain::name::UserName;
use crate::domain::password::MinLength;

#[derive(Debug, Clone)]
pub struct Config {
    pub aws: Aws,
    pub tables: Tables,
    pub pictures: Pictures,
    pub mail: Mail,
    pub tokens: Tokens,
    pub introspection_clients: IntrospectionClients,
    pub relying_party: RelyingParty,
    /// `PASSWORD_MIN_LENGTH`: how many characters a new password has at least.
    pub password_min_length: MinLength,
    pub password_hash: PasswordHash,
    /// `ADMIN_EMAIL`: the account with this address becomes an administrator when a password is chosen for it through a link
    /// that was mailed there.
    pub admin_email: Option<EmailAddress>,
    /// `UNCONFIRMED_DAYS`: how long an account waits for its address to be confirmed; then it is erased.
    pub unconfirmed_life: Duration,
    pub limits: Limits,
    /// `LOG_STREAM`: the Firehose stream that log records go to; without it they go to standard output only.
    pub log_stream: Option<String>,
}

/// Where AWS is and who we are there. In Lambda all of it is set by the service.
#[derive(Debug, Clone)]
pub struct Aws {
    /// `AWS_REGION`
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: SecretString,
    /// `AWS_SESSION_TOKEN`
    pub session_token: Option<SecretString>,
    pub endpoints: Endpoints,
}

impl Aws {
    /// They last as long as a Lambda environment does.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let token = self.session_token.as_ref().map(|token| token.expose_secret().to_owned());
        Credentials::new(&self.access_key_id, self.secret_access_key.expose_secret(), token, None, "environment")
    }
}

/// Endpoints other than AWS's own, by the variables that every AWS SDK reads; `AWS_ENDPOINT_URL` sets all at once.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// `AWS_ENDPOINT_URL_DYNAMODB`
    pub dynamodb: Option<String>,
    /// `AWS_ENDPOINT_URL_FIREHOSE`
    pub firehose: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`
    pub s3: Option<String>,
    /// `AWS_ENDPOINT_URL_SESV2`
    pub ses: Option<String>,
    /// `AWS_ENDPOINT_URL_SQS`
    pub sqs: Option<String>,
}

impl Endpoints {
    /// Whether a bucket stands in the path of a URL. It becomes a host name on AWS only; another endpoint has no such names.
    #[must_use]
    pub const fn s3_path_style(&self) -> bool {
        self.s3.is_some()
    }
}

#[derive(Debug, Clone)]
pub struct Tables {
    /// `TABLE_NAME`: users, sessions, mails, links, counters and the public halves of signing keys.
    pub main: String,
    /// `KEYS_TABLE_NAME`: private signing keys and MAC keys.
    pub keys: String,
}

#[derive(Debug, Clone)]
pub struct Pictures {
    /// `UPLOADS_BUCKET`: what users upload, until it is resized.
    pub uploads_bucket: String,
    /// `PICTURES_BUCKET`: the resized pictures.
    pub pictures_bucket: String,
    /// `PICTURES_URL`: where the pictures bucket is served from, without a slash at the end.
    pub base_url: String,
    /// `PICTURE_MEMORY_MIB`: the address space, in MiB, of the process that reads an upload.
    pub worker_memory_mib: u64,
    /// `PICTURE_WORKER`: the program that reads uploads, the one that runs unless set.
    pub worker: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct Mail {
    /// `MAIL_QUEUE_URL`
    pub queue_url: String,
    /// `MAIL_FROM`: the sender, `Name <address>` or an address, verified in SES.
    pub from: Mailbox,
    /// `MAIL_REPLY_TO`: likewise.
    pub reply_to: Option<Mailbox>,
    /// `PRODUCT_NAME`: how mails and pages call the product, by the rules for a person's name.
    pub product_name: String,
    /// `SUPPORT_ADDRESS`: whom a mail's reader may ask.
    pub support_address: Option<EmailAddress>,
    /// `LINK_BASE_URL`: what links in mails start with, `PUBLIC_URL` unless set.
    pub link_base_url: String,
    /// `HOME_URL`: where a person signs in, `PUBLIC_URL` unless set.
    pub home_url: String,
    /// `CHANGE_PASSWORD_URL`: where a person changes the password, `HOME_URL` unless set.
    pub change_password_url: String,
    /// `SES_CONFIGURATION_SET`
    pub configuration_set: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Tokens {
    /// `PUBLIC_URL` and the base path: the `iss` of access tokens.
    pub issuer: String,
    /// `TOKEN_AUDIENCE`: the `aud` of access tokens, the issuer unless set.
    pub audience: String,
    /// `CLIENT_ID`: the `client_id` of access tokens (RFC 9068, 2.2), which is that of the product's own front end: `web`
    /// unless set.
    pub client_id: String,
    /// `SIGNING_ALGORITHM`: `ES256` (default), `RS256` or `EdDSA`, for keys made from now on.
    pub algorithm: Algorithm,
}

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
}

/// `INTROSPECTION_CLIENTS`: the services that may ask whether tokens stand, `id:sha256,id:sha256`. Only the SHA-256 of a
/// secret stands in the configuration, in hex: secrets are 256 random bits, which no hash has to be slow for.
#[derive(Debug, Clone, Default)]
pub struct IntrospectionClients(Vec<(String, [u8; 32])>);

impl IntrospectionClients {
    /// Whether this is the secret of that service: in the same time for each that is configured, whichever it is.
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
            let mut expected = [0; 32];
            let whole = hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
            for (at, byte) in expected.iter_mut().enumerate().take_while(|_| whole) {
                *byte = u8::from_str_radix(&hash[at * 2..at * 2 + 2], 16).ok()?;
            }
            (named && whole).then(|| (id.to_owned(), expected))
        };
        let clients = text.split(',').map(client).collect::<Option<_>>();
        clients.map(Self).ok_or("must be id:sha256, with the hash in 64 hex digits, and commas in between")
    }
}

/// Cost of argon2id for new passwords; a stored hash of lower cost is replaced at the next login.
/// The defaults are OWASP's: <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>.
#[derive(Debug, Clone)]
pub struct PasswordHash {
    /// `PASSWORD_HASH_MEMORY_KIB`
    pub memory_kib: u32,
    /// `PASSWORD_HASH_ITERATIONS`
    pub iterations: u32,
    /// `PASSWORD_HASH_PARALLELISM`
    pub parallelism: u32,
}

/// What slows down those who guess and those who flood.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `LIMITS=off` turns rate limits and locks off. Only the local stack ever sets it.
    pub on: bool,
    /// `LIMIT_LOGIN_PER_IP` and the like, by the table in `domain::limit`: how often one origin may call a route, as
    /// `30/5m`; `off` where something in front of the API hides where requests come from, and limits them itself.
    rates: Vec<(Limit, Rate)>,
}

impl Limits {
    /// How often one origin may do what is limited; `None` for as often as it likes.
    #[must_use]
    pub fn rate(&self, limit: Limit) -> Option<Rate> {
        self.rates.iter().find(|(known, _)| self.on && *known == limit).map(|(_, rate)| *rate)
    }
}

/// Octets of a configured URL, as it stands in HTML: with what is added to it, it fits into one line of an email, of which
/// RFC 5322, 2.1.1, allows 998.
const LONGEST_URL: usize = 800;

/// Lifetimes that the contract fixes.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_mins(10);
pub const REFRESH_IDLE_LIFE: Duration = Duration::from_hours(30 * 24);
pub const SESSION_LIFE: Duration = Duration::from_hours(90 * 24);
/// A refresh token is answered with the current pair for this long after it was rotated.
pub const REFRESH_REUSE_INTERVAL: Duration = Duration::from_secs(10);
/// How long a device that does not sign in is remembered; each sign-in begins it anew.
pub const DEVICE_LIFE: Duration = Duration::from_hours(180 * 24);
/// How long a sign-in waits for its second factor.
pub const CHALLENGE_LIFE: Duration = Duration::from_mins(5);
/// How long an authenticator app may wait for its first code.
pub const ENROLMENT_LIFE: Duration = Duration::from_mins(15);
pub const CONFIRMATION_LIFE: Duration = Duration::from_hours(24);
/// How long a link to choose a new password works: it is worth as much as the password.
pub const RESET_LIFE: Duration = Duration::from_mins(30);
/// How long an account waits for its confirmation unless `UNCONFIRMED_DAYS` says otherwise.
pub const UNCONFIRMED_LIFE: Duration = Duration::from_hours(14 * 24);
/// How long the old address can take back a change of the address; nobody else can register it meanwhile.
pub const UNDO_LIFE: Duration = Duration::from_hours(7 * 24);
/// How long a proof of who somebody is serves routes that change or end an account (RFC 9470).
pub const RECENT_SIGN_IN: Duration = Duration::from_mins(15);
/// How long a presigned upload may be used.
pub const UPLOAD_LIFE: Duration = Duration::from_mins(5);

/// Every problem found in the environment, one a line.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration cannot be used: {}", self.0.join("; "))
    }
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or malformed.
    pub fn from_env() -> Result<Self, ConfigError> {
        // What turns the limits off is for the local stack alone, however a function's environment came to have it.
        Self::read(|name| std::env::var(name).ok().filter(|_| name != "LIMITS"))
    }

    /// Reads variables through `lookup`; an empty one counts as missing, as SAM has no other way to leave one out.
    ///
    /// # Errors
    /// Names every variable that is missing or malformed.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup, problems: Vec::new() };
        let public_url = reader.url("PUBLIC_URL");
        let issuer = format!("{public_url}{}", crate::http::BASE_PATH);
        let home_url = reader.home_url().unwrap_or_else(|| public_url.clone());
        let all = reader.optional("AWS_ENDPOINT_URL");
        let endpoint = |name| reader.optional(name).or_else(|| all.clone());
        let endpoints = Endpoints {
            dynamodb: endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
            firehose: endpoint("AWS_ENDPOINT_URL_FIREHOSE"),
            s3: endpoint("AWS_ENDPOINT_URL_S3"),
            ses: endpoint("AWS_ENDPOINT_URL_SESV2"),
            sqs: endpoint("AWS_ENDPOINT_URL_SQS"),
        };
        let relying_party = reader.relying_party(&public_url);
        let config = Self {
            aws: Aws {
                region: reader.required("AWS_REGION"),
                access_key_id: reader.required("AWS_ACCESS_KEY_ID"),
                secret_access_key: reader.required("AWS_SECRET_ACCESS_KEY").into(),
                session_token: reader.optional("AWS_SESSION_TOKEN").map(Into::into),
                endpoints,
            },
            tables: Tables { main: reader.required("TABLE_NAME"), keys: reader.required("KEYS_TABLE_NAME") },
            pictures: Pictures {
                uploads_bucket: reader.required("UPLOADS_BUCKET"),
                pictures_bucket: reader.required("PICTURES_BUCKET"),
                base_url: reader.url("PICTURES_URL"),
                worker_memory_mib: reader.number("PICTURE_MEMORY_MIB", 16..=1 << 20).unwrap_or(512),
                worker: reader.optional("PICTURE_WORKER").map(Into::into),
            },
            tokens: Tokens {
                audience: reader.optional("TOKEN_AUDIENCE").unwrap_or_else(|| issuer.clone()),
                issuer,
                client_id: reader.client_id(),
                algorithm: reader.parsed("SIGNING_ALGORITHM").unwrap_or(Algorithm::Es256),
            },
            introspection_clients: reader.parsed("INTROSPECTION_CLIENTS").unwrap_or_default(),
            relying_party,
            password_min_length: reader.parsed("PASSWORD_MIN_LENGTH").unwrap_or_default(),
            password_hash: PasswordHash {
                memory_kib: reader.number("PASSWORD_HASH_MEMORY_KIB", 8..=u32::MAX).unwrap_or(19 * 1024),
                iterations: reader.number("PASSWORD_HASH_ITERATIONS", 1..=u32::MAX).unwrap_or(2),
                parallelism: reader.number("PASSWORD_HASH_PARALLELISM", 1..=0x00FF_FFFF).unwrap_or(1),
            },
            admin_email: reader.parsed("ADMIN_EMAIL"),
            unconfirmed_life: reader.days("UNCONFIRMED_DAYS", 1..=365).unwrap_or(UNCONFIRMED_LIFE),
            limits: Limits {
                on: reader.optional("LIMITS").as_deref() != Some("off"),
                rates: Limit::ALL.iter().filter_map(|limit| Some((*limit, reader.rate(*limit)?))).collect(),
            },
            log_stream: reader.optional("LOG_STREAM"),
            // The last: without a sender there is nothing to return, and all else has been looked at by then.
            mail: Mail {
                queue_url: reader.required("MAIL_QUEUE_URL"),
                reply_to: reader.parsed("MAIL_REPLY_TO"),
                product_name: reader.name("PRODUCT_NAME"),
                support_address: reader.parsed("SUPPORT_ADDRESS"),
                link_base_url: reader.optional_url("LINK_BASE_URL").unwrap_or(public_url),
                change_password_url: reader.optional_url("CHANGE_PASSWORD_URL").unwrap_or_else(|| home_url.clone()),
                home_url,
                configuration_set: reader.optional("SES_CONFIGURATION_SET"),
                from: match reader.mailbox("MAIL_FROM") {
                    Some(from) => from,
                    None => return Err(ConfigError(reader.problems)),
                },
            },
        };
        if reader.problems.is_empty() { Ok(config) } else { Err(ConfigError(reader.problems)) }
    }
}

struct Reader<F> {
    lookup: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }

    fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    fn url(&mut self, name: &str) -> String {
        let url = self.required(name);
        let of_web = Url::parse(&url).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
        if !url.is_empty() && (!of_web || url.contains(|c: char| c.is_whitespace() || c.is_control())) {
            self.problems.push(format!("{name} must be an http or https URL"));
        }
        // In the HTML of an email these two are escaped.
        if url.len() + url.matches('&').count() * 4 + url.matches('\'').count() * 5 > LONGEST_URL {
            self.problems.push(format!("{name} is longer than a line of an email allows"));
        }
        url.trim_end_matches('/').to_owned()
    }

    /// Emails show it as it is, and mail programs leave signs at the end out of a link.
    fn home_url(&mut self) -> Option<String> {
        let url = self.optional_url("HOME_URL")?;
        if !url.ends_with(char::is_alphanumeric) {
            self.problems.push("HOME_URL must end in a letter or a digit".into());
        }
        Some(url)
    }

    fn mailbox(&mut self, name: &str) -> Option<Mailbox> {
        if self.required(name).is_empty() { None } else { self.parsed(name) }
    }

    /// It stands in subjects, headings and titles.
    fn name(&mut self, name: &str) -> String {
        let text = self.required(name);
        match UserName::parse(&text) {
            Err(problem) if !text.is_empty() => self.problems.push(format!("{name}: {problem}")),
            Ok(parsed) => return parsed.to_string(),
            Err(_) => {}
        }
        text
    }

    fn optional_url(&mut self, name: &str) -> Option<String> {
        self.optional(name).map(|_| self.url(name))
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        self.optional(name)?.parse().map_err(|problem| self.problems.push(format!("{name}: {problem}"))).ok()
    }

    /// A whole number within a range.
    fn number<T: FromStr + PartialOrd + fmt::Display>(&mut self, name: &str, range: RangeInclusive<T>) -> Option<T> {
        let number = self.optional(name)?.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.problems.push(format!("{name} must be a number from {} to {}", range.start(), range.end()));
        }
        number
    }

    fn days(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.number(name, range).map(|days| Duration::from_hours(days * 24))
    }

    fn relying_party(&mut self, public_url: &str) -> RelyingParty {
        let default =
            RelyingParty::at(public_url).unwrap_or_else(|| RelyingParty { id: String::new(), origins: vec![] });
        let id = self.optional("RELYING_PARTY_ID").unwrap_or(default.id);
        let origins = match self.optional("RELYING_PARTY_ORIGINS") {
            Some(list) => list.split(',').map(str::trim).filter_map(|entry| self.origin(entry)).collect(),
            None => default.origins,
        };
        let party = RelyingParty { id, origins };
        // Where only apps are listed, their domain serves pages all the same.
        let own = party.origins.iter().all(|origin| origin.domain().is_none()).then(|| format!("https://{}", party.id));
        let is_domain = own.is_none_or(|own| party.origins.is_empty() || RelyingParty::origin(&own).is_some());
        if !is_domain || !party.origins.iter().all(|origin| party.covers(origin)) {
            self.problems
                .push("RELYING_PARTY_ID must be the domain of every page of RELYING_PARTY_ORIGINS, or above it".into());
        }
        party
    }

    fn origin(&mut self, entry: &str) -> Option<Url> {
        let origin = RelyingParty::origin(entry);
        if origin.is_none() {
            self.problems.push(format!(
                "RELYING_PARTY_ORIGINS has `{entry}`, which is neither an https origin without a path nor {ANDROID_APP} and \
                 the SHA-256 of an app's certificate in URL-safe base64, 43 characters"
            ));
        }
        origin
    }

    /// Visible ASCII characters (RFC 6749, A.1, but for the blank).
    fn client_id(&mut self) -> String {
        let id = self.optional("CLIENT_ID").unwrap_or_else(|| "web".into());
        if id.len() > 100 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.problems.push("CLIENT_ID must be 1 to 100 visible ASCII characters".into());
        }
        id
    }

    fn rate(&mut self, limit: Limit) -> Option<Rate> {
        let name = limit.variable();
        let text = self.optional(name).unwrap_or_else(|| limit.default_rate().to_owned());
        if text == "off" {
            return None;
        }
        text.parse().map_err(|problem| self.problems.push(format!("{name}: {problem}"))).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn complete() -> HashMap<&'static str, &'static str> {
        HashMap::from([
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "not-a-real-secret"),
            ("TABLE_NAME", "users"),
            ("KEYS_TABLE_NAME", "keys"),
            ("UPLOADS_BUCKET", "uploads"),
            ("PICTURES_BUCKET", "pictures"),
            ("PICTURES_URL", "https://pictures.example.com/"),
            ("PUBLIC_URL", "https://api.example.com/"),
            ("MAIL_QUEUE_URL", "https://sqs.example.com/1/mail"),
            ("MAIL_FROM", "no-reply@example.com"),
            ("PRODUCT_NAME", "Example"),
        ])
    }

    fn read(variables: &HashMap<&str, &str>) -> Result<Config, ConfigError> {
        Config::read(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn what_is_left_out_has_the_defaults_of_the_contract() {
        let config = read(&complete()).unwrap();
        assert_eq!(config.tokens.issuer, "https://api.example.com/api/v1");
        assert_eq!(config.tokens.audience, config.tokens.issuer);
        assert_eq!(config.tokens.algorithm, Algorithm::Es256);
        assert_eq!(config.tokens.client_id, "web");
        assert_eq!(config.password_min_length, MinLength::default());
        assert_eq!(config.password_hash.memory_kib, 19_456);
        assert!(config.limits.on);
        assert_eq!(config.limits.rate(Limit::Login), "30/5m".parse().ok());
    }

    #[test]
    fn everything_that_is_missing_or_malformed_is_named_at_once() {
        let mut variables = complete();
        variables.remove("TABLE_NAME");
        variables.insert("MAIL_FROM", " ");
        variables.insert("SIGNING_ALGORITHM", "none");
        variables.insert("ADMIN_EMAIL", "nobody");
        variables.insert("PICTURES_URL", "pictures.example.com");
        variables.insert("LIMIT_LOGIN_PER_IP", "thirty");
        variables.insert("CLIENT_ID", "the web");
        variables.insert("PASSWORD_MIN_LENGTH", "7");
        let problem = read(&variables).unwrap_err().to_string();
        for name in [
            "TABLE_NAME",
            "MAIL_FROM",
            "SIGNING_ALGORITHM",
            "ADMIN_EMAIL",
            "PICTURES_URL",
            "LIMIT_LOGIN_PER_IP",
            "CLIENT_ID",
            "PASSWORD_MIN_LENGTH",
        ] {
            assert_eq!(problem.matches(name).count(), 1, "{problem} does not name {name} once");
        }
    }

    #[test]
    fn what_stands_in_emails_is_checked_at_the_start() {
        let long = format!("https://example.com/{}", "&".repeat(160));
        for (name, wrong, right) in [
            ("ADMIN_EMAIL", "\u{ff41}dmin@example.com", "admin@example.com"),
            ("SUPPORT_ADDRESS", "help@localhost", "help@münchen.de"),
            ("MAIL_REPLY_TO", "help@example.com, more@example.com", "Help, always <help@example.com>"),
            ("MAIL_FROM", "Söhne <s\u{f6}hne@example.com>", "Körner & Söhne <info@körner.de>"),
            ("MAIL_FROM", "A\r\nBcc: b@example.com <a@example.com>", "Smith, Sons & Co. <a@example.com>"),
            ("MAIL_FROM", "Example", "\"Acme: Tools\" <a@example.com>"),
            ("PRODUCT_NAME", "Two\r\nLines", "Körner & Söhne: \"Tools\" 🛠"),
            ("PRODUCT_NAME", "\u{3164}", "A"),
            ("HOME_URL", "https://app.example.com/home_", "https://app.example.com/home/"),
            ("HOME_URL", "https://app.example.com/ home", "https://app.example.com/?from=email"),
            ("LINK_BASE_URL", "https://", "https://example.com/users"),
            ("LINK_BASE_URL", &long, &long[..90]),
        ] {
            let mut variables = complete();
            variables.insert(name, wrong);
            let problem = read(&variables).unwrap_err().to_string();
            assert_eq!(problem.matches(name).count(), 1, "{wrong}: {problem}");
            variables.insert(name, right);
            assert!(read(&variables).is_ok(), "{right}");
        }
    }

    #[test]
    fn one_endpoint_variable_serves_all_services_and_a_specific_one_wins() {
        let mut variables = complete();
        variables.insert("AWS_ENDPOINT_URL", "http://127.0.0.1:4566");
        variables.insert("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9999");
        let endpoints = read(&variables).unwrap().aws.endpoints;
        assert_eq!(endpoints.sqs.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(endpoints.s3.as_deref(), Some("http://127.0.0.1:9999"));
    }

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

    #[test]
    fn each_limit_is_set_by_its_variable_and_all_go_with_the_locks() {
        let mut variables = complete();
        variables.insert("LIMIT_LOGIN_PER_IP", "5/1m");
        variables.insert("LIMIT_SEND_PER_IP", "off");
        let limits = read(&variables).unwrap().limits;
        assert_eq!(limits.rate(Limit::Login), "5/1m".parse().ok());
        assert_eq!(limits.rate(Limit::Send), None);
        assert_eq!(limits.rate(Limit::Register), Limit::Register.default_rate().parse().ok());
        variables.insert("LIMITS", "off");
        let limits = read(&variables).unwrap().limits;
        assert!(!limits.on);
        for limit in Limit::ALL {
            assert_eq!(limits.rate(*limit), None, "{limit}");
        }
    }

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

    #[test]
    fn secrets_do_not_print() {
        assert!(!format!("{:?}", read(&complete()).unwrap()).contains("not-a-real-secret"));
    }
}
