//! What a sign-in costs compared with the verification of the password: the two in turn, so that both meet the same machine.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::domain::password::{NewPassword, Password};
use shared::hashing::Verdict;

use crate::report;
use crate::samples::{Samples, millis, ratio};
use crate::service::{EMAIL, PASSWORD, Running};

const WARM_UP: usize = 10;
const ROUNDS: usize = 300;

pub async fn run() {
    let service = Running::start_without_publishers().await;
    service.confirmed(EMAIL).await;
    let hasher = &service.stack.app.hasher;
    let password = Password::new(&PASSWORD.into());
    let hash = hasher.hash(&NewPassword::known(password.clone())).await.expect("a hash");
    let unknown = json!({ "email": EMAIL, "password": PASSWORD });
    let answer: Value = service.post("/auth/login", &unknown).await.json().await.expect("JSON");
    // As a browser does that signed in before.
    let known = json!({ "email": EMAIL, "password": PASSWORD, "device_token": answer["device_token"] });

    let verify = || {
        let began = Instant::now();
        assert_eq!(hasher.verify_blocking(&password, &hash).expect("a verdict"), Verdict::Right);
        began.elapsed()
    };
    let (mut verifications, mut by_known, mut by_unknown) = <(Samples, Samples, Samples)>::default();
    for round in 0..WARM_UP + ROUNDS {
        for (body, logins) in [(&known, &mut by_known), (&unknown, &mut by_unknown)] {
            let (login, verification) = (sign_in(&service, body).await, verify());
            if round >= WARM_UP {
                logins.push(login);
                verifications.push(verification);
            }
        }
    }
    let mut table =
        String::from("| what | rounds | p50 | p99 | against the verification (p50) |\n|---|---|---|---|---|\n");
    let base = verifications.median();
    for (what, samples) in [
        ("POST /auth/login from a known device", &by_known),
        ("POST /auth/login from an unknown one", &by_unknown),
        ("argon2 verification alone", &verifications),
    ] {
        let _ = writeln!(
            table,
            "| {what} | {} | {} | {} | {:.3} |",
            samples.len(),
            millis(samples.median()),
            millis(samples.percentile(99)),
            ratio(samples.median(), base)
        );
    }
    report::publish("login", "A sign-in compared with its hash", "`cargo run --release -p bench -- login`", &table)
        .await;
    service.stack.stop().await;
}

async fn sign_in(service: &Running, body: &Value) -> Duration {
    let began = Instant::now();
    let answer = service.post("/auth/login", body).await;
    assert_eq!(answer.status(), 200);
    answer.bytes().await.expect("a body");
    began.elapsed()
}
