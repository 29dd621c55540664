//! Prints deliveries as JSON lines, for `tests/webhooks/check`: headers, body, and the secrets that each has to pass with.
//!
//!     cargo run -p outbound --example sign -- "$(date +%s)"

use std::env;
use std::error::Error;

use outbound::signature::{ID, SIGNATURE, Secret, TIMESTAMP, sign};
use secrecy::ExposeSecret;
use serde_json::json;

/// Bodies with what libraries may treat in their own way.
const BODIES: [&str; 5] = [
    r#"{"type":"user.registered","timestamp":"2026-11-29T12:00:00.000Z","data":{"id":"0192f3a4-0000-7000-8000-000000000001"}}"#,
    r#"{ "name" : "Ada \"the\" Lovelace\n", "e\u0301" : 1.0, "number": 9007199254740993 }"#,
    "{\"name\":\"Zoë 🦀 \u{2028}\u{feff}\"}\r\n",
    "\"a.b.c\"",
    "{\"a\":1,\"a\":2}",
];

fn main() -> Result<(), Box<dyn Error>> {
    let timestamp: i64 = env::args().nth(1).ok_or("the time is missing, in seconds since 1970")?.parse()?;
    for (number, body) in BODIES.into_iter().enumerate() {
        // All lengths of base64's padding, and all of its characters.
        for length in [Secret::SHORTEST, 25, 32, Secret::LONGEST] {
            let secret_of = |first: u8| {
                let bytes: Vec<u8> =
                    (0..=u8::MAX).map(|at| at.wrapping_mul(251).wrapping_add(first)).take(length).collect();
                Secret::from_bytes(&bytes)
            };
            let (newest, older) = (secret_of(0)?, secret_of(100)?);
            let id = format!("0192f3a4-0000-7000-8000-{number:06}{length:06}");
            for secrets in [&[&newest][..], &[&newest, &older]] {
                let delivery = json!({
                    "headers": {
                        ID.as_str(): id,
                        TIMESTAMP.as_str(): timestamp.to_string(),
                        SIGNATURE.as_str(): sign(&id, timestamp, body.as_bytes(), secrets),
                    },
                    "body": body,
                    "secrets": secrets.iter().map(|secret| secret.expose().expose_secret().to_owned()).collect::<Vec<_>>(),
                });
                println!("{delivery}");
            }
        }
    }
    Ok(())
}
