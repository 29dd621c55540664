//! The systems that hashes come from.

use std::fmt;
use std::str::FromStr;

use crate::systems::{self, Read};
use crate::{Fields, Refused, Setting, Stored};

/// The longest stored value in bytes: a line of an export is the longest.
const MAX_STORED: usize = 64 * 1024;

/// Columns that say that there is no password, as exports write them. `!` and `*` in front say so, too.
const NO_PASSWORD: [&str; 6] = ["", "NULL", "null", "None", "nil", "\\N"];

/// Settings of Flask's that people give along with those that matter: the hash itself says its scheme and its cost.
const WITHOUT_EFFECT: [&str; 3] = ["BCRYPT_LOG_ROUNDS", "SECURITY_PASSWORD_HASH", "SECURITY_PASSWORD_SCHEMES"];

macro_rules! systems {
    ($($variant:ident $name:literal $module:ident $description:literal)*) => {
        /// A system that hashes come from: a product, or a library whose hashes products store as they are.
        ///
        /// As text it is its name in kebab case.
        #[expect(clippy::doc_markdown, reason = "the descriptions are for terminals, too")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum System {
            $(#[doc = $description] $variant,)*
        }

        impl System {
            /// All of them, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in kebab case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One line about it.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)* }
            }

            /// The fields of [`System::read`] that are the same for the whole file.
            #[must_use]
            pub const fn settings(self) -> &'static [Setting] {
                match self { $(Self::$variant => systems::$module::SETTINGS,)* }
            }

            fn read_hash(self, stored: &str, fields: &Fields) -> Read {
                match self { $(Self::$variant => systems::$module::read(stored, fields),)* }
            }
        }
    };
}

systems! {
    Argon2 "argon2" argon2 "Argon2 libraries: argon2-cffi, and argon2 and @node-rs/argon2 of npm."
    AspnetIdentity "aspnet-identity" aspnet_identity "ASP.NET and ASP.NET Core Identity, versions 2 and 3 of the format."
    Auth0 "auth0" auth0 "Auth0's export of password hashes: its lines, or the hashes out of them."
    BetterAuth "better-auth" better_auth "Better Auth."
    Clerk "clerk" go_bcrypt "Clerk's own bcrypt digests."
    Crypt "crypt" crypt "crypt(3) of libxcrypt and mkpasswd: /etc/shadow."
    Devise "devise" devise "Devise for Rails, with a pepper or without."
    Django "django" django "Django's auth_user.password."
    Dovecot "dovecot" dovecot "Dovecot's password databases, with the scheme in braces."
    Drupal "drupal" drupal "Drupal 7 and later."
    Firebase "firebase" firebase "Firebase Authentication and Google Cloud Identity Platform: auth:export, or the Admin SDK."
    FlaskBcrypt "flask-bcrypt" flask_bcrypt "Flask-Bcrypt."
    FlaskSecurity "flask-security" flask_security "Flask-Security and Flask-Security-Too."
    GoBcrypt "go-bcrypt" go_bcrypt "Go's golang.org/x/crypto/bcrypt."
    Keycloak "keycloak" keycloak "Keycloak's credentials, as its realm export has them."
    Kratos "kratos" kratos "Ory Kratos."
    Laravel "laravel" laravel "Laravel."
    Lucia "lucia" lucia "Lucia's Scrypt and LegacyScrypt."
    MediaWiki "mediawiki" mediawiki "MediaWiki's user_password."
    Meteor "meteor" meteor "Meteor's accounts-password, bcrypt."
    NodeBcrypt "node-bcrypt" node_bcrypt "bcrypt for Node.js: bcrypt, bcryptjs and @node-rs/bcrypt."
    NodePhpass "node-phpass" node_phpass "phpass of npm, whose hashes are bcrypt: ASCII passwords only."
    NodeWordPress "node-wordpress" node_wordpress "wordpress-hash-node of npm, which differs from WordPress outside of ASCII."
    Oslo "oslo" oslo "Oslo's password module."
    Passlib "passlib" passlib "passlib and libpass, and any of their formats."
    PassportLocalMongoose "passport-local-mongoose" passport_local_mongoose "passport-local-mongoose."
    Php "php" php "PHP's password_hash and crypt."
    Pwdlib "pwdlib" pwdlib "pwdlib, FastAPI Users and PyPI's bcrypt: Argon2 and bcrypt of Python."
    Rails "rails" rails "Rails' has_secure_password, and the bcrypt gem."
    Redmine "redmine" redmine "Redmine."
    ScryptKdf "scrypt-kdf" scrypt_kdf "scrypt-kdf of npm: scrypt's file format, in base64 or hex."
    Supabase "supabase" supabase "Supabase Auth: auth.users.encrypted_password."
    Symfony "symfony" symfony "Symfony's password hashers."
    Werkzeug "werkzeug" werkzeug "Werkzeug's security module, and Flask applications that use it."
    WordPress "wordpress" wordpress "WordPress."
}

impl System {
    /// The fields of [`System::read`] that each row has for itself, besides the stored value. Of Symfony, only rows of
    /// its legacy hashers have them.
    #[must_use]
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Firebase | Self::PassportLocalMongoose | Self::Redmine | Self::Symfony => &["salt"],
            _ => &[],
        }
    }

    /// Whether [`System::read`] of any system takes a field of this name: those of a file may be settings of several.
    #[must_use]
    pub fn has_field(name: &str) -> bool {
        let has = |system: &Self| {
            system.columns().contains(&name) || system.settings().iter().any(|setting| setting.name == name)
        };
        Self::ALL.iter().any(has) || WITHOUT_EFFECT.contains(&name)
    }

    /// Reads one stored value. `fields` are what else a check needs: the row's other columns, like the salt, and the
    /// system's settings, like a pepper. Fields that the system does not have are ignored.
    ///
    /// # Errors
    /// Why the value cannot be taken. None of them holds a part of it.
    pub fn read(self, stored: &str, fields: &Fields) -> Result<Stored, Refused> {
        if NO_PASSWORD.contains(&stored) || stored.starts_with(['!', '*']) {
            return Ok(Stored::NoPassword);
        }
        if stored.len() > MAX_STORED {
            return Err(Refused::Malformed("it is too long for a hash"));
        }
        self.read_hash(stored, fields).map(Stored::Hash)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// That name is no system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This system is not known.")]
pub struct UnknownSystem;

impl FromStr for System {
    type Err = UnknownSystem;

    fn from_str(name: &str) -> Result<Self, UnknownSystem> {
        Self::ALL.iter().copied().find(|system| system.name() == name).ok_or(UnknownSystem)
    }
}
