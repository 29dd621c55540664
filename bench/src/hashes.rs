//! Whether every hash of the collection answers as the software that made it, and a tenth of them once more over HTTP, after an
//! import.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use foreign_hashes::vectors::Vector;
use formats::{Options, Source};
use serde_json::json;
use transfer::import::{Outcome, import_all};

use crate::report;
use crate::service::Running;

const FILE: &str = "foreign-hashes/vectors/vectors.jsonl";
/// Over HTTP.
const EACH: usize = 10;

/// How many vectors of a system answered rightly.
#[derive(Default)]
struct Score {
    right: usize,
    wrong: usize,
}

pub async fn run() {
    let text = std::fs::read_to_string(FILE).unwrap_or_else(|error| panic!("{FILE}: {error}"));
    let vectors: Vec<Vector> = text.lines().map(|line| serde_json::from_str(line).expect("a vector")).collect();
    let began = Instant::now();
    let scores = alone(&vectors);
    let (right, wrong) =
        scores.values().fold((0, 0), |(right, wrong), score| (right + score.right, wrong + score.wrong));
    let alone = began.elapsed();
    let began = Instant::now();
    let (signed_in, refused, differing) = over_http(&vectors).await;
    let mut table = String::from("| system | right | wrong |\n|---|---|---|\n");
    for (system, Score { right, wrong }) in &scores {
        let _ = writeln!(table, "| {system} | {right} | {wrong} |");
    }
    let _ = writeln!(
        table,
        "\n{right} of {} answer as the software that made them, in {} s. Of every tenth, imported as an account and tried over HTTP, \
         {signed_in} sign in, {refused} are refused and {differing} differ, in {} s.",
        vectors.len(),
        alone.as_secs(),
        began.elapsed().as_secs()
    );
    report::publish("hashes", "Hashes of other systems", "`cargo run --release -p bench -- hashes`", &table).await;
    assert!(wrong == 0 && differing == 0, "not all answer as they should");
}

/// With all cores: most of it is waiting for a slow hash.
fn alone(vectors: &[Vector]) -> BTreeMap<String, Score> {
    let next = Mutex::new(vectors.iter());
    let scores = Mutex::new(BTreeMap::<String, Score>::new());
    let work = || {
        loop {
            let Some(vector) = next.lock().expect("no panic").next() else { return };
            let as_it_should = vector.check().is_ok_and(|verifies| verifies == vector.verifies);
            let system = vector.system().map_or_else(|| "unknown".to_owned(), |system| system.to_string());
            let mut scores = scores.lock().expect("no panic");
            let score = scores.entry(system).or_default();
            *(if as_it_should { &mut score.right } else { &mut score.wrong }) += 1;
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(work);
        }
    });
    scores.into_inner().expect("no panic")
}

/// Sign-ins that succeeded, that were refused, and that ended otherwise than they should.
async fn over_http(vectors: &[Vector]) -> (usize, usize, usize) {
    let service = Running::start().await;
    let tenth: Vec<&Vector> = vectors.iter().step_by(EACH).collect();
    let lines = tenth.iter().enumerate().map(|(number, vector)| {
        let system = vector.system().expect("a known producer").to_string();
        let password = json!({ "system": system, "stored": vector.stored, "fields": vector.extra });
        json!({ "email": email(number), "email_confirmed": true, "password": password }).to_string()
    });
    let file = lines.collect::<Vec<_>>().join("\n");
    let rows = formats::rows(Source::JsonLines, file.as_bytes(), &Options::default()).collect();
    for line in import_all(&service.stack.app, rows).await.expect("a table") {
        assert!(matches!(line.outcome, Outcome::Imported { .. }), "{line:?}");
    }
    let (mut signed_in, mut refused, mut differing) = (0, 0, 0);
    for (number, vector) in tenth.iter().enumerate() {
        let body = json!({ "email": email(number), "password": vector.password });
        let answer = service.post("/auth/login", &body).await;
        match answer.status().as_u16() {
            200 if vector.verifies => signed_in += 1,
            401 if !vector.verifies => refused += 1,
            status => {
                eprintln!("{status}: {} {}, {:?}", vector.producer, vector.scheme, vector.password);
                differing += 1;
            }
        }
    }
    service.stack.stop().await;
    (signed_in, refused, differing)
}

fn email(number: usize) -> String {
    format!("user{number}@example.com")
}
