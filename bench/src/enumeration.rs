//! Whether the time of an answer tells known addresses from unknown ones: both in turn, compared by their medians and
//! by Welch's t (beyond about 3 the means differ by more than chance explains).

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::report;
use crate::samples::{Samples, millis, ratio};
use crate::service::{EMAIL, PASSWORD, Running};

const WARM_UP: usize = 10;
const ROUNDS: usize = 200;

type Body = fn(&str) -> Value;

pub async fn run() {
    let service = Running::start().await;
    service.confirmed(EMAIL).await;
    let mut table = String::from(
        "| route | rounds | known p50 | unknown p50 | known/unknown | Welch's t |\n|---|---|---|---|---|---|\n",
    );
    let routes: [(&str, u16, Body); 4] = [
        ("/auth/register", 202, |email| json!({ "name": "Eve", "email": email, "password": PASSWORD })),
        ("/auth/send", 202, |email| json!({ "email": email })),
        ("/auth/password/forgot", 202, |email| json!({ "email": email })),
        ("/auth/login", 401, |email| json!({ "email": email, "password": "not the password" })),
    ];
    for (path, status, body) in routes {
        let (mut known, mut unknown) = (Samples::default(), Samples::default());
        for round in 0..WARM_UP + ROUNDS {
            let stranger = format!("{}{round}@example.com", path.trim_start_matches("/auth/").replace('/', "-"));
            // Who goes first changes from round to round, so that neither always follows the other.
            let mut turns = [(EMAIL, &mut known), (stranger.as_str(), &mut unknown)];
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
        let ((known_mean, known_variance), (unknown_mean, unknown_variance)) =
            (known.mean_and_variance(), unknown.mean_and_variance());
        let t = (known_mean - unknown_mean) / (known_variance + unknown_variance).sqrt();
        let _ = writeln!(
            table,
            "| POST {path} | {} | {} | {} | {:.3} | {t:.1} |",
            known.len(),
            millis(known.median()),
            millis(unknown.median()),
            ratio(known.median(), unknown.median())
        );
    }
    let command = "`cargo run --release -p bench -- enumeration`";
    report::publish("enumeration", "Known and unknown addresses", command, &table).await;
    service.stack.stop().await;
}
