//! Whether the time of an answer tells known addresses from unknown ones, and reserved ones, which an account has left: both in
//! turn, compared by their medians and by Welch's t (beyond about 3 the means differ by more than chance explains).

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::report;
use crate::samples::{Samples, millis, ratio};
use crate::service::{EMAIL, PASSWORD, Running};

const WARM_UP: usize = 10;
const ROUNDS: usize = 200;

/// An address that the account with [`EMAIL`] has left.
const RESERVED: &str = "ada@example.org";

type Body = fn(&str) -> Value;

pub async fn run() {
    let service = Running::start().await;
    service.confirmed(RESERVED).await;
    service.moved(RESERVED, EMAIL).await;
    let mut table = String::from(
        "| route | address | rounds | p50 | unknown p50 | to unknown | Welch's t |\n|---|---|---|---|---|---|---|\n",
    );
    let register: Body = |email| json!({ "name": "Eve", "email": email, "password": PASSWORD });
    let email_alone: Body = |email| json!({ "email": email });
    let login: Body = |email| json!({ "email": email, "password": "not the password" });
    for (path, status, body, what, known) in [
        ("/auth/register", 202, register, "known", EMAIL),
        ("/auth/register", 202, register, "reserved", RESERVED),
        ("/auth/send", 202, email_alone, "known", EMAIL),
        ("/auth/password/forgot", 202, email_alone, "known", EMAIL),
        ("/auth/login", 401, login, "known", EMAIL),
        ("/auth/login", 401, login, "reserved", RESERVED),
    ] {
        let (known, unknown) = measure(&service, path, status, body, what, known).await;
        let ((known_mean, known_variance), (unknown_mean, unknown_variance)) =
            (known.mean_and_variance(), unknown.mean_and_variance());
        let t = (known_mean - unknown_mean) / (known_variance + unknown_variance).sqrt();
        let _ = writeln!(
            table,
            "| POST {path} | {what} | {} | {} | {} | {:.3} | {t:.1} |",
            known.len(),
            millis(known.median()),
            millis(unknown.median()),
            ratio(known.median(), unknown.median())
        );
    }
    let command = "`cargo run --release -p bench -- enumeration`";
    report::publish("enumeration", "Known, reserved and unknown addresses", command, &table).await;
    service.stack.stop().await;
}

/// The times of a route for this address and for unknown ones.
async fn measure(
    service: &Running,
    path: &str,
    status: u16,
    body: Body,
    what: &str,
    address: &str,
) -> (Samples, Samples) {
    let (mut known, mut unknown) = (Samples::default(), Samples::default());
    for round in 0..WARM_UP + ROUNDS {
        let stranger = format!("{}-{what}{round}@example.com", path.trim_start_matches("/auth/").replace('/', "-"));
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
