//! Whether the time of an answer tells known addresses from unknown ones, and reserved ones, which an account has left: both in
//! turn, compared by their medians and by Welch's t (beyond about 3 the means differ by more than chance explains).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use formats::{Options, Source};
use serde_json::{Value, json};
use shared::App;
use shared::domain::email::EmailAddress;
use shared::domain::imported::PasswordKind;
use transfer::import::import;

use crate::report;
use crate::samples::{Samples, millis, ratio};
use crate::service::{EMAIL, PASSWORD, Running};

const WARM_UP: usize = 10;
const ROUNDS: usize = 200;

/// An address that the account with [`EMAIL`] has left.
const RESERVED: &str = "ada@example.org";

type Body = fn(&str) -> Value;

pub async fn run() {
    let service = Running::start_without_publishers().await;
    service.confirmed(RESERVED).await;
    service.moved(RESERVED, EMAIL).await;
    let mut rows = String::new();
    let heading = String::from(
        "| route | address | rounds | p50 | unknown p50 | to unknown | Welch's t |\n|---|---|---|---|---|---|---|\n",
    );
    let register: Body = |email| json!({ "name": "Eve", "email": email, "password": PASSWORD });
    let email_alone: Body = |email| json!({ "email": email });
    for (path, status, body, what, known) in [
        ("/auth/register", 202, register, "known", EMAIL),
        ("/auth/register", 202, register, "reserved", RESERVED),
        ("/auth/send", 202, email_alone, "known", EMAIL),
        ("/auth/password/forgot", 202, email_alone, "known", EMAIL),
        ("/auth/login", 401, login, "known", EMAIL),
        ("/auth/login", 401, login, "reserved", RESERVED),
    ] {
        let prefix = path.trim_start_matches("/auth/").replace('/', "-");
        let strangers = (0..).map(|round| format!("{prefix}-{what}{round}@example.com"));
        let (known, unknown) = measure(&service, path, status, body, known, strangers).await;
        rows += &row(path, what, &known, &unknown);
    }
    // The same with accounts that came from elsewhere, a third of each kind. The kind that an unknown address passes for is
    // random: it is compared with accounts of that kind.
    service.stack.stop().await;
    // Of their own: each round above that registered left an account.
    let service = Running::start_without_publishers().await;
    rows += &imported(&service).await;
    let table = format!("{heading}{rows}");
    let command = "`cargo run --release -p bench -- enumeration`";
    report::publish("enumeration", "Known, reserved and unknown addresses", command, &table).await;
    service.stack.stop().await;
}

fn row(path: &str, what: &str, known: &Samples, unknown: &Samples) -> String {
    let ((known_mean, known_variance), (unknown_mean, unknown_variance)) =
        (known.mean_and_variance(), unknown.mean_and_variance());
    let t = (known_mean - unknown_mean) / (known_variance + unknown_variance).sqrt();
    format!(
        "| POST {path} | {what} | {} | {} | {} | {:.3} | {t:.1} |\n",
        known.len(),
        millis(known.median()),
        millis(unknown.median()),
        ratio(known.median(), unknown.median())
    )
}

/// Kinds of passwords, a third of the accounts each.
const KINDS: [(&str, &str, &str); 3] =
    [("argon2id", "own", ""), ("bcrypt", "php", BCRYPT), ("PBKDF2", "django", PBKDF2)];
/// Of cost 10, and of 600,000 iterations. No password is known to have them.
const BCRYPT: &str = "$2y$10$TEeprjmeFFIhGimHJwIhCO2Bq6739Kz6o6Qzh/nnQwvI6GShIelEq";
const PBKDF2: &str = "pbkdf2_sha256$600000$dGPp7i3z0GPuh11t5U8CrU$Pcfejb9kMQi73O5y7uWFoNtBeZHJT9KMCZ6qtJyHOQ4=";
/// Accounts of each kind.
const THIRD: usize = 8;

async fn imported(service: &Running) -> String {
    let app = &service.stack.app;
    for (name, system, stored) in KINDS {
        for number in 0..THIRD {
            let email = format!("{name}{number}@example.com").to_lowercase();
            if system == "own" {
                service.confirmed(&email).await;
                continue;
            }
            let password = json!({ "system": system, "stored": stored });
            let record = json!({ "email": email, "email_confirmed": true, "password": password }).to_string();
            let rows = formats::rows(Source::JsonLines, record.as_bytes(), &Options::default()).collect();
            import(app, rows).await.expect("a table");
        }
    }
    let now = app.clock.now();
    assert!(app.store().count_passwords(now, now, usize::MAX).await.expect("a table"), "there are imported ones");
    // An instance looks again after a minute.
    app.clock.advance(Duration::from_mins(2));
    let mut table = String::new();
    for (name, ..) in KINDS {
        let name = name.to_lowercase();
        let known = format!("{name}0@example.com");
        let mut strangers = Vec::with_capacity(WARM_UP + ROUNDS);
        for number in 0.. {
            let email = format!("{name}-stranger{number}@example.com");
            let kind = passes_for(app, &email).await;
            if kind.to_string().contains(&name) || name == "argon2id" && kind == PasswordKind::Own {
                strangers.push(email);
            }
            if strangers.len() == strangers.capacity() {
                break;
            }
        }
        let (times, others) = measure(service, "/auth/login", 401, login, &known, strangers).await;
        table += &row("/auth/login", &format!("known, {name}"), &times, &others);
    }
    let mut shares = BTreeMap::<String, usize>::new();
    for number in 0..3000 {
        let kind = passes_for(app, &format!("anybody{number}@example.com")).await;
        *shares.entry(kind.to_string()).or_default() += 1;
    }
    let _ = writeln!(table, "\nOf 3,000 unknown addresses, the number that pass for each kind: {shares:?}.");
    table
}

async fn passes_for(app: &App, email: &str) -> PasswordKind {
    let address = EmailAddress::parse(email).expect("an address").normalized();
    app.passes_for(&address).await.expect("a table")
}

fn login(email: &str) -> Value {
    json!({ "email": email, "password": "not the password" })
}

/// The times of a route for this address and for unknown ones.
async fn measure(
    service: &Running,
    path: &str,
    status: u16,
    body: Body,
    address: &str,
    strangers: impl IntoIterator<Item = String>,
) -> (Samples, Samples) {
    let (mut known, mut unknown) = (Samples::default(), Samples::default());
    for (round, stranger) in strangers.into_iter().take(WARM_UP + ROUNDS).enumerate() {
        // Who goes first changes from round to round, so that neither always follows the other.
        let mut turns = [(address, &mut known), (stranger.as_str(), &mut unknown)];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (email, samples) in turns {
            let mut sample = Samples::default();
            sample
                .take(async {
                    let answer = service.post(path, &body(email)).await;
                    assert_eq!(answer.status(), status);
                    answer.bytes().await.expect("a body");
                })
                .await;
            if round >= WARM_UP {
                samples.push(sample.total());
            }
        }
    }
    (known, unknown)
}
