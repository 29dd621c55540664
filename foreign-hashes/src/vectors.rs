//! Vectors: what a system answered to a password and a stored value.

use serde::Deserialize;

use crate::{Fields, Refused, Stored, System};

/// A line of a file of vectors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Vector {
    /// The library or product that made the hash.
    pub producer: String,
    /// Its version, or the source that a recipe was read in.
    pub version: String,
    /// What the producer was told to do, in words.
    pub scheme: String,
    /// The password that was tried.
    pub password: String,
    /// The stored value.
    pub stored: String,
    /// What else a check needs, as [`System::read`] takes it.
    #[serde(default)]
    pub extra: Fields,
    /// What the producer's own check answered.
    pub verifies: bool,
}

impl Vector {
    /// The system that the producer is.
    #[must_use]
    pub fn system(&self) -> Option<System> {
        Some(match &*self.producer {
            "@node-rs/argon2" | "argon2 (npm)" | "argon2-cffi" => System::Argon2,
            "@node-rs/bcrypt" | "bcrypt (npm)" | "bcryptjs (npm)" => System::NodeBcrypt,
            "aspnet-identity-pw (npm)"
            | "aspnetcore-identity (recomputed)"
            | "aspnetcore-identity-password-hasher (npm)" => System::AspnetIdentity,
            "auth0 export (recipe over npm bcrypt)" => System::Auth0,
            "bcrypt-ruby" | "rails has_secure_password" => System::Rails,
            "better-auth" => System::BetterAuth,
            "devise" => System::Devise,
            "django" => System::Django,
            "dovecot (doveadm pw)" => System::Dovecot,
            "drupal-hash (npm)" => System::Drupal,
            "fastapi-users" | "pwdlib" => System::Pwdlib,
            "firebase-scrypt (PyPI)" | "firebase-scrypt (npm)" => System::Firebase,
            "flask-bcrypt" => System::FlaskBcrypt,
            "flask-security-too" => System::FlaskSecurity,
            "golang.org/x/crypto/bcrypt" => System::GoBcrypt,
            "keycloak (recomputed)" => System::Keycloak,
            "laravel (illuminate/hashing)" => System::Laravel,
            "libpass" | "passlib" => System::Passlib,
            "libxcrypt crypt()" | "mkpasswd (libxcrypt)" => System::Crypt,
            "lucia" => System::Lucia,
            "mediawiki" => System::MediaWiki,
            "meteor accounts-password (recipe over npm bcrypt)" => System::Meteor,
            "ory-kratos (recomputed)" => System::Kratos,
            "oslo" => System::Oslo,
            "passport-local-mongoose" => System::PassportLocalMongoose,
            "php password_hash" => System::Php,
            "phpass (npm)" => System::NodePhpass,
            "redmine (recomputed)" => System::Redmine,
            "scrypt-kdf" => System::ScryptKdf,
            "supabase-auth (recomputed)" => System::Supabase,
            "symfony" => System::Symfony,
            "werkzeug" | "werkzeug-old" => System::Werkzeug,
            "wordpress" => System::WordPress,
            "wordpress-hash-node" => System::NodeWordPress,
            _ => return None,
        })
    }

    /// # Errors
    /// What [`System::read`] refuses, and a producer that is no system's.
    pub fn read(&self) -> Result<Stored, Refused> {
        let system = self.system().ok_or(Refused::Unsupported("the producer is not known"))?;
        system.read(&self.stored, &self.extra)
    }

    /// Whether this crate accepts the password. It is right if that is [`Vector::verifies`].
    ///
    /// # Errors
    /// As [`Vector::read`].
    pub fn check(&self) -> Result<bool, Refused> {
        Ok(match self.read()? {
            Stored::NoPassword => false,
            Stored::Hash(hash) => hash.verify(&self.password),
        })
    }
}
