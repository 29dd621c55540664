//! What a sign-in costs beside the verification of the password: the two in turn, so that both meet the same machine.

use std::fmt::Write as _;
use std::time::Instant;

use serde_json::json;
use shared::domain::password::{NewPassword, Password};
use shared::hashing::Verdict;

use crate::report;
use crate::samples::{Samples, millis, ratio};
use crate::service::{EMAIL, PASSWORD, Running};

const WARM_UP: usize = 10;
const ROUNDS: usize = 300;

pub async fn run() {
    let service = Running::start().await;
    service.confirmed(EMAIL).await;
    let hasher = &service.stack.app.hasher;
    let password = Password::new(&PASSWORD.into());
    let hash = hasher.hash(&NewPassword::known(password.clone())).await.expect("a hash");
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let (mut logins, mut verifications) = (Samples::default(), Samples::default());
    for round in 0..WARM_UP + ROUNDS {
        let began = Instant::now();
        let answer = service.post("/auth/login", &body).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("a body");
        let login = began.elapsed();
        let began = Instant::now();
        assert_eq!(hasher.verify_blocking(&password, &hash).expect("a verdict"), Verdict::Right);
        let verification = began.elapsed();
        if round >= WARM_UP {
            logins.push(login);
            verifications.push(verification);
        }
    }
    let mut table =
        String::from("| what | rounds | p50 | p99 | against the verification (p50) |\n|---|---|---|---|---|\n");
    let base = verifications.median();
    for (what, samples) in [("POST /auth/login", &logins), ("argon2 verification alone", &verifications)] {
        let _ = writeln!(
            table,
            "| {what} | {} | {} | {} | {:.3} |",
            samples.len(),
            millis(samples.median()),
            millis(samples.percentile(99)),
            ratio(samples.median(), base)
        );
    }
    report::publish("login", "A sign-in beside its hash", "`cargo run --release -p bench -- login`", &table).await;
    service.stack.stop().await;
}
