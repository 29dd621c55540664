//! Authenticator apps of other systems.

use data_encoding::BASE32_NOPAD;
use secrecy::SecretString;
use url::Url;

use super::fields::Fields;
use crate::{Algorithm, Digits, Totp};

/// What a system says about an authenticator app, in its own words. What it does not say is the default of authenticator apps.
#[derive(Default)]
pub(crate) struct Otp {
    /// The secret in base32.
    pub(crate) secret: String,
    /// The hash function: `SHA1`, `sha-256`, `HmacSHA512`.
    pub(crate) algorithm: Option<String>,
    /// How many digits a code has.
    pub(crate) digits: Option<String>,
    /// How long a code is shown, in seconds.
    pub(crate) period: Option<String>,
    /// When it was set up, in RFC 3339.
    pub(crate) added_at: Option<String>,
}

impl Otp {
    /// The app as records have it. `None`, with a note, where its codes could not be checked here.
    pub(crate) fn into_totp(self, fields: &mut Fields) -> Option<Totp> {
        if !is_base32(&self.secret) {
            fields.note("the authenticator app is left out: its secret is not base32");
            return None;
        }
        let algorithm = self.algorithm.map_or(Some(Algorithm::default()), |name| algorithm(&name));
        let digits = self.digits.map_or(Some(Digits::default()), |digits| digits.parse::<u64>().ok()?.try_into().ok());
        let period = self.period.map_or(Some(Totp::PERIOD), |period| period.parse().ok().filter(|period| *period > 0));
        let (Some(algorithm), Some(digits), Some(period)) = (algorithm, digits, period) else {
            fields.note("the authenticator app is left out: its algorithm, digits or period is not supported");
            return None;
        };
        let secret = SecretString::from(self.secret);
        Some(Totp { algorithm, digits, period, added_at: self.added_at, ..Totp::of(secret) })
    }

    /// Reads an [`otpauth:` URI](https://github.com/google/google-authenticator/wiki/Key-Uri-Format).
    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        let uri = Url::parse(uri).ok().filter(|uri| uri.scheme() == "otpauth" && uri.host_str() == Some("totp"))?;
        let parameter = |name| uri.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
        Some(Self {
            secret: parameter("secret")?,
            algorithm: parameter("algorithm"),
            digits: parameter("digits"),
            period: parameter("period"),
            added_at: None,
        })
    }
}

/// The bytes of a secret in base32.
pub(crate) fn base32(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

fn is_base32(secret: &str) -> bool {
    let letters: String = secret
        .chars()
        .filter(|letter| !matches!(letter, '=' | ' ' | '-'))
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    !letters.is_empty() && BASE32_NOPAD.decode(letters.as_bytes()).is_ok()
}

fn algorithm(name: &str) -> Option<Algorithm> {
    let name = name.to_ascii_uppercase().replace('-', "");
    match name.trim_start_matches("HMAC") {
        "SHA1" => Some(Algorithm::Sha1),
        "SHA256" => Some(Algorithm::Sha256),
        "SHA512" => Some(Algorithm::Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::Members;

    #[test]
    fn an_uri_of_an_authenticator_app_is_read() {
        let uri = "otpauth://totp/Shop:ada@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Shop&algorithm=SHA256&digits=8&period=60";
        let totp = Otp::from_uri(uri).unwrap().into_totp(&mut Fields::new(Members::new())).unwrap();
        assert_eq!(totp.secret.expose_secret(), "JBSWY3DPEHPK3PXP");
        assert_eq!((totp.algorithm, totp.digits, totp.period), (Algorithm::Sha256, Digits::Eight, 60));
        assert!(Otp::from_uri("otpauth://hotp/x?secret=JBSWY3DPEHPK3PXP").is_none());
    }

    #[test]
    fn what_cannot_be_checked_here_is_left_out_with_a_note() {
        let good = || Otp { secret: "jbsw y3dp ehpk 3pxp====".to_owned(), ..Otp::default() };
        let text = |text: &str| Some(text.to_owned());
        for (otp, taken) in [
            (good(), true),
            (Otp { secret: "not base32!".to_owned(), ..good() }, false),
            (Otp { secret: String::new(), ..good() }, false),
            (Otp { algorithm: text("HmacSHA512"), ..good() }, true),
            (Otp { algorithm: text("MD5"), ..good() }, false),
            (Otp { digits: text("7"), ..good() }, false),
            (Otp { period: text("0"), ..good() }, false),
        ] {
            let mut fields = Fields::new(Members::new());
            assert_eq!(otp.into_totp(&mut fields).is_some(), taken);
            assert_eq!(fields.into_notes().is_empty(), taken);
        }
    }
}
