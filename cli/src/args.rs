//! Command-line arguments.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use formats::Source;
use serde_json::Value;
use shared::clock::{Clock, Timestamp};
use uuid::Uuid;

use crate::service::service_url;

/// At the end of `--help` and of the manual.
const EXIT_CODES: &str = "Exit codes: 0 success; 1 failed, or rejected by the service; 2 invalid usage; 3 input or a sign-in is \
                          required; 4 not confirmed; 5 not found; 6 the service cannot be reached.";

/// Manages the accounts of the user-management service: as a signed-in member of staff, or as an operator with credentials of
/// its AWS account.
#[derive(Debug, Parser)]
#[command(name = "users", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// URL of the service, without /api/v1: https, or http on this machine
    #[arg(long, global = true, env = "USERS_URL", default_value = "http://127.0.0.1:9000", value_parser = service_url)]
    pub url: String,
    /// Print only JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Never prompt for input: fail with exit code 3 instead
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Read the password, and a code after it, from lines of standard input instead of prompting
    #[arg(long, global = true)]
    pub password_stdin: bool,
}

/// Options of commands that change something.
#[derive(Debug, Clone, Copy, Args)]
pub struct Change {
    /// Print what would be sent without sending it
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of commands that cannot be undone.
#[derive(Debug, Args)]
pub struct Confirmation {
    /// Confirm with the email address of the account instead of a prompt
    #[arg(long, value_name = "ADDRESS")]
    pub yes: Option<String>,
}

#[derive(Debug, Args)]
pub struct Target {
    /// An ID, an email address, or an ID in another system as external:ID
    #[arg(value_name = "WHO")]
    pub who: Who,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Read(Read),
    #[command(flatten)]
    Act(Act),
    #[command(flatten)]
    Operate(Operate),
    /// Print shell completions
    Completions { shell: Shell },
    /// Write the manual pages to a folder
    Man { folder: PathBuf },
}

/// Commands of staff that manage the session or only read.
#[derive(Debug, Subcommand)]
pub enum Read {
    /// Sign in, and keep the session for later commands
    Login {
        /// The email address. Default: that of the last sign-in, or a prompt
        email: Option<String>,
    },
    /// Sign out
    Logout,
    /// Show who is signed in
    Whoami,
    /// Find accounts by name or email address, or list the newest
    Find(Find),
    /// Show an account
    Show {
        #[command(flatten)]
        target: Target,
    },
    /// List the sessions of an account
    Sessions {
        #[command(flatten)]
        target: Target,
    },
    /// List the activity of an account
    Activity {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        pages: Pages,
    },
}

/// Commands of staff that change accounts.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// Create an account; with --invite, the user is emailed a link to choose a password
    Create(Create),
    /// Disable an account, and end its sessions, tokens and links
    Disable {
        #[command(flatten)]
        target: Target,
        /// The reason, visible to staff
        #[arg(long)]
        reason: Option<String>,
        /// When the account is enabled again: an RFC 3339 time, or a duration such as 12h, 7d or 2w
        #[arg(long, value_name = "TIME|DURATION", value_parser = until)]
        until: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Enable an account again
    Enable {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        change: Change,
    },
    /// End the sessions of an account, or one of them
    EndSessions {
        #[command(flatten)]
        target: Target,
        /// Only this session
        #[arg(long, value_name = "SID")]
        session: Option<Uuid>,
        #[command(flatten)]
        change: Change,
    },
    /// Remove second factors from an account whose owner has lost them
    DropFactor {
        #[command(flatten)]
        target: Target,
        /// all, totp, recovery-codes or passkey:ID
        factor: Factor,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        change: Change,
    },
    /// Replace the roles of an account, or add and remove some
    SetRole(SetRole),
    /// Change the email address of an account immediately
    SetEmail {
        #[command(flatten)]
        target: Target,
        email: String,
        /// Mark the address as confirmed: no link is emailed
        #[arg(long)]
        confirmed: bool,
        #[command(flatten)]
        change: Change,
    },
    /// Email the owner a link to choose a new password
    ResetPassword {
        #[command(flatten)]
        target: Target,
        /// End all sessions as well
        #[arg(long)]
        end_sessions: bool,
        #[command(flatten)]
        change: Change,
    },
    /// Email the owner a link to confirm the address
    Confirm {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        change: Change,
    },
    /// Permanently delete an account
    Delete {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        change: Change,
    },
    /// Clear the email suppression of an account's address
    Unsuppress {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        change: Change,
    },
    /// Invite someone by email, whether or not they have an account
    Invite {
        email: String,
        #[command(flatten)]
        given: Given,
        #[command(flatten)]
        change: Change,
    },
    /// Manage invitations
    #[command(subcommand)]
    Invitations(Invitations),
}

/// Commands of operators, which do not use the API.
#[derive(Debug, Subcommand)]
pub enum Operate {
    /// Operators: create an administrator, and print a link to choose the password
    CreateAdmin {
        email: String,
        /// The name of a new account
        #[arg(long, default_value = "Administrator")]
        name: String,
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        change: Change,
    },
    /// Operators: import accounts from a file of this service or of another system
    Import(Import),
    /// Operators: export all accounts, encrypted to an age key
    Export(Export),
    /// Operators: check passwords against hashes of other systems, one JSON object per line, from standard input
    #[command(hide = true)]
    VerifyHash,
    /// Operators: manage the keys that sign access tokens
    #[command(subcommand)]
    Keys(Keys),
    /// Operators: check everything that the service depends on
    Doctor {
        #[command(flatten)]
        environment: Environment,
    },
}

#[derive(Debug, Args)]
pub struct Find {
    /// A prefix of the email address, or of words of the name
    pub text: Option<String>,
    /// The whole email address
    #[arg(long)]
    pub email: Option<String>,
    /// The ID in another system
    #[arg(long)]
    pub external_id: Option<String>,
    /// A role of the accounts
    #[arg(long)]
    pub role: Option<String>,
    #[arg(long)]
    pub status: Option<Status>,
    #[command(flatten)]
    pub pages: Pages,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    Active,
    Unconfirmed,
    Disabled,
}

#[derive(Debug, Args)]
pub struct Pages {
    /// Maximum number of results; with --all, per request
    #[arg(long)]
    pub limit: Option<u16>,
    /// All results, page after page; with --json, one object per line
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct Create {
    #[arg(long)]
    pub name: String,
    #[arg(long)]
    pub email: String,
    #[command(flatten)]
    pub given: Given,
    /// Data stored by administrators, visible to staff only
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub internal: Option<Value>,
    /// The ID in another system
    #[arg(long)]
    pub external_id: Option<String>,
    /// Mark the email address as confirmed
    #[arg(long)]
    pub email_confirmed: bool,
    /// Email the user a link to choose a password
    #[arg(long)]
    pub invite: bool,
    #[command(flatten)]
    pub change: Change,
}

/// Options for a new account.
#[derive(Debug, Args)]
pub struct Given {
    /// A role; may be repeated. Default: `user` only
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// Data stored by administrators, visible to the owner
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub app: Option<Value>,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "users set-role <WHO> <ROLE>...\n       users set-role <WHO> [--add <ROLE>]... [--remove <ROLE>]...",
    group = ArgGroup::new("wanted").args(["roles", "add", "remove"]).required(true).multiple(true)
)]
pub struct SetRole {
    #[command(flatten)]
    pub target: Target,
    /// All roles that the account should have
    #[arg(value_name = "ROLE", conflicts_with_all = ["add", "remove"])]
    pub roles: Vec<String>,
    /// A role to add; may be repeated
    #[arg(long, value_name = "ROLE")]
    pub add: Vec<String>,
    /// A role to remove; may be repeated
    #[arg(long, value_name = "ROLE")]
    pub remove: Vec<String>,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Subcommand)]
pub enum Invitations {
    /// List invitations, newest first; expired ones are deleted after some time
    List {
        #[command(flatten)]
        pages: Pages,
    },
    /// Revoke an invitation: its link stops working
    Revoke {
        id: Uuid,
        #[command(flatten)]
        change: Change,
    },
    /// Resend an invitation
    Send {
        id: Uuid,
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// List the keys: which one signs, which one is next
    List {
        #[command(flatten)]
        environment: Environment,
    },
    /// Create the next key now: it is published immediately, and signs a day later
    Rotate {
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        change: Change,
    },
    /// Mark a key as compromised: within a minute it is no longer trusted, and another key signs
    Revoke {
        /// The ID of the key, from the header of a token or from `users keys list`. One in 64 starts with a hyphen
        #[arg(allow_hyphen_values = true)]
        kid: String,
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Debug, Args)]
#[command(after_help = IMPORT_HELP)]
pub struct Import {
    /// The file; encrypted to an age key if --identity is given
    pub file: PathBuf,
    /// Where the file comes from: json-lines, cognito, auth0, clerk, firebase, supabase, keycloak, kratos, django, flask-security
    #[arg(long, value_name = "SOURCE", default_value = "json-lines")]
    pub from: Source,
    /// A JSON file with settings of the former system that its hashes depend on: a pepper, a signer key
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// With --from cognito: the ID of the user pool that is asked to check passwords
    #[arg(long, value_name = "POOL", requires = "cognito_client")]
    pub cognito_pool: Option<String>,
    /// With --from cognito: the app client of the pool
    #[arg(long, value_name = "CLIENT", requires = "cognito_pool")]
    pub cognito_client: Option<String>,
    /// Treat addresses as confirmed if the file does not say whether they are
    #[arg(long)]
    pub email_confirmed: bool,
    /// Keep the roles admin and support, and equivalent markers of other systems
    #[arg(long)]
    pub keep_staff_roles: bool,
    /// A file with the age private key of the encrypted file
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Where to write the result of each row, as JSON Lines; only refused rows and omissions are printed
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Continue after this row: a faster way to repeat an interrupted import
    #[arg(long, value_name = "ROW", default_value_t = 0)]
    pub after: u64,
    /// Write to the tables directly, even if an import queue is configured
    #[arg(long)]
    pub direct: bool,
    #[command(flatten)]
    pub environment: Environment,
    #[command(flatten)]
    pub change: Change,
}

/// At the end of `users import --help`.
const IMPORT_HELP: &str = "An import can be repeated, and interrupted at any time: existing accounts do not change. No email is \
                           sent. docs/import-format.md describes the format, docs/moving-in/ each system.\n\n\
                           Exit codes: 0 every row has an account; 1 some rows were refused, or the import failed.";

#[derive(Debug, Args)]
pub struct Export {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// The age public key to encrypt the file to (age1...); may be repeated
    #[arg(long = "recipient", value_name = "KEY", required = true)]
    pub recipients: Vec<String>,
    #[command(flatten)]
    pub environment: Environment,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct Environment {
    /// Read the variables of the functions from a file; they take precedence over the environment
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
}

/// How an account is identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Id(Uuid),
    Email(String),
    External(String),
}

impl FromStr for Who {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(id) = text.strip_prefix("external:").filter(|id| !id.is_empty()) {
            return Ok(Self::External(id.to_owned()));
        }
        if text.contains('@') {
            return Ok(Self::Email(text.to_owned()));
        }
        text.parse()
            .map(Self::Id)
            .map_err(|_| "not an ID, an email address or external:ID; `users find` searches for names")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    All,
    Totp,
    RecoveryCodes,
    Passkey(String),
}

impl FromStr for Factor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            "totp" => Ok(Self::Totp),
            "recovery-codes" => Ok(Self::RecoveryCodes),
            _ => match text.strip_prefix("passkey:").filter(|id| !id.is_empty()) {
                Some(id) => Ok(Self::Passkey(id.to_owned())),
                None => Err("expected all, totp, recovery-codes or passkey:ID"),
            },
        }
    }
}

fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("expected a JSON object".into()) }
}

/// A time in the format of the API.
fn until(text: &str) -> Result<String, &'static str> {
    if let Some(duration) = duration(text) {
        return Ok(Clock::default().now().plus(duration).rfc3339());
    }
    Timestamp::parse(text)
        .map(Timestamp::rfc3339)
        .ok_or("expected an RFC 3339 time, or a duration such as 12h, 7d or 2w")
}

/// A number of minutes, hours, days or weeks: `30m`, `12h`, `7d`, `2w`.
fn duration(text: &str) -> Option<Duration> {
    let (number, minutes) = match text.split_at_checked(text.len().checked_sub(1)?)? {
        (number, "m") => (number, 1),
        (number, "h") => (number, 60),
        (number, "d") => (number, 24 * 60),
        (number, "w") => (number, 7 * 24 * 60),
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok().filter(|number| *number > 0)?.checked_mul(minutes * 60)?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_account_is_named_in_three_ways() {
        let id = "0198c0de-0000-7000-8000-000000000000";
        assert_eq!(id.parse(), Ok(Who::Id(id.parse().unwrap())));
        assert_eq!("ada@example.com".parse(), Ok(Who::Email("ada@example.com".into())));
        assert_eq!("external:a@b".parse(), Ok(Who::External("a@b".into())));
        assert!(["ada", "external:", ""].iter().all(|text| text.parse::<Who>().is_err()));
    }

    #[test]
    fn an_end_is_a_time_or_a_duration() {
        for (text, seconds) in [("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "0d", "-1d", "7", "7y", "1.5d", "99999999999999999999d", "7ä"] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(until("2027-01-02T03:04:05+01:00").as_deref(), Ok("2027-01-02T02:04:05Z"));
        assert!(until("tomorrow").is_err());
    }

    #[test]
    fn roles_are_replaced_or_changed_and_not_both() {
        let parse = |rest: &[&str]| {
            let fixed = ["users", "set-role", "ada@example.com"].iter();
            Arguments::try_parse_from(fixed.chain(rest)).is_ok()
        };
        assert!(parse(&["user", "admin"]) && parse(&["--add", "a", "--remove", "b"]));
        assert!(!parse(&[]) && !parse(&["user", "--add", "admin"]));
    }
}
