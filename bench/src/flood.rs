//! The whole service in memory under many clients at once: reads, refreshes and sign-ins. Nothing may fail and its memory
//! may not grow. Then reads alone during more sign-ins than there are threads to hash on: hashing must not starve the rest.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use shared::domain::role::Role;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::people::{People, Person};
use crate::report;
use crate::samples::millis;
use crate::service::{PASSWORD, Running};

const SECONDS: u64 = 60;
/// Until the stack keeps as many lines of its log as it ever does, which each request has one of at least, and the allocator has
/// what it needs: four times as long.
const WARM_UP: (Duration, u64) = (Duration::from_secs(10), 40_000);
const COMMAND: &str = "cargo run --profile server -p bench -- flood";

/// Clients at once, each with a connection that it keeps, and each waiting for an answer before it asks again.
const READERS: usize = 8;
const REFRESHERS: usize = 4;
/// They sign out again, so that the table does not fill with sessions.
const SIGNERS: usize = 2;
/// As many sign-ins at once as a hashing thread for each core has not done for seconds.
const CROWD: usize = 64;
const CROWDED: Duration = Duration::from_secs(10);

/// No growth: over the last quarter of the flood the process has at most this much more memory than over the first, apart from
/// what it keeps of the sign-ins between the middles of the two, three quarters of all.
const GROWTH: f64 = 1.02;
/// What the stack keeps of a sign-in and its sign-out, in MB: the account's activity, and the published events.
const KEPT: f64 = 0.008;
/// Reads answer within this while a crowd signs in, 99 of 100.
const UNSTARVED: Duration = Duration::from_millis(50);

/// Floods for as many seconds as `arguments` say.
pub async fn run(mut arguments: impl Iterator<Item = String>) {
    let seconds = arguments.next().map_or(SECONDS, |seconds| seconds.parse().expect("seconds"));
    let service = Running::start().await;
    let flood = Flood { people: People::of(&service.stack.app).await, service: Arc::new(service) };
    let clients = [("read", READERS), ("refresh", REFRESHERS), ("sign in and out", SIGNERS)];
    let (mut table, memory) = flood.run("flood", &clients, WARM_UP, Duration::from_secs(seconds)).await;
    let at = |part: usize| memory[(memory.len() - 1) * part / 2];
    #[allow(clippy::cast_precision_loss, reason = "a count of sign-ins is small")]
    let kept = table.sign_ins as f64 * KEPT * 0.75;
    let _ = writeln!(
        table.text,
        "\nMemory at the start {:.0} MB, in the middle {:.0} MB, at the end {:.0} MB; {kept:.0} MB more are \
         allowed for what it keeps of the sign-ins.",
        at(0),
        at(1),
        at(2)
    );

    let clients = [("read", READERS), ("sign in and out", CROWD)];
    let (crowded, _) = flood.run("crowd", &clients, (Duration::from_secs(1), 0), CROWDED).await;
    let _ = write!(table.text, "\nReads while {CROWD} clients sign in, for {} s:\n\n", CROWDED.as_secs());
    table.text += &crowded.text;
    let command = format!("`{COMMAND}`, {seconds} s once it is warm");
    report::publish("flood", "Flood", &command, &table.text).await;

    let quarter = memory.len().div_ceil(4);
    let (first, last) = (mean(&memory[..quarter]), mean(&memory[memory.len() - quarter..]));
    assert!(last <= first * GROWTH + kept, "the memory grew from {first:.1} MB to {last:.1} MB");
    assert!(crowded.reads_p99 <= UNSTARVED, "reads took {} during sign-ins", millis(crowded.reads_p99));
}

struct Flood {
    service: Arc<Running>,
    people: People,
}

struct Outcome {
    text: String,
    reads_p99: Duration,
    sign_ins: u64,
}

impl Flood {
    /// Lets so many clients of each kind ask for `time`, and says how long they waited and what memory the process used
    /// during it, in MB.
    async fn run(
        &self,
        name: &str,
        clients: &[(&'static str, usize)],
        (least, requests): (Duration, u64),
        time: Duration,
    ) -> (Outcome, Vec<f64>) {
        let (counting, ending) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let answered = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for (kind, count) in clients {
            for number in 0..*count {
                let email = format!("{name}-{}{number}@example.com", kind.replace(' ', "-"));
                let client = Client {
                    kind,
                    service: Arc::clone(&self.service),
                    person: self.people.signed_in(&email, vec![Role::USER]).await,
                    times: Times::default(),
                    answered: Arc::clone(&answered),
                    counting: Arc::clone(&counting),
                };
                tasks.spawn(client.ask_until(Arc::clone(&ending)));
            }
        }
        sleep(least).await;
        while answered.load(Ordering::Relaxed) < requests {
            sleep(Duration::from_millis(100)).await;
        }
        counting.store(true, Ordering::Relaxed);
        let (began, mut memory) = (Instant::now(), Vec::new());
        while began.elapsed() < time {
            memory.push(resident_memory());
            sleep(Duration::from_millis(250)).await;
        }
        let seconds = began.elapsed().as_secs_f64();
        ending.store(true, Ordering::Relaxed);
        let done = tasks.join_all().await;
        (outcome(clients, &done, seconds), memory)
    }
}

fn outcome(clients: &[(&str, usize)], done: &[(&str, Times)], seconds: f64) -> Outcome {
    let mut outcome = Outcome {
        text: String::from(
            "| what | clients | requests | requests/s | p50 | p99 | max |\n|---|---|---|---|---|---|---|\n",
        ),
        reads_p99: Duration::MAX,
        sign_ins: 0,
    };
    for (kind, count) in clients {
        let mut times = Times::default();
        for (_, one) in done.iter().filter(|(of, _)| of == kind) {
            times.0.add(&one.0).expect("the same bounds");
        }
        let at = |percent| Duration::from_micros(times.0.value_at_percentile(percent));
        #[allow(clippy::cast_precision_loss, reason = "a count of requests is small")]
        let rate = times.0.len() as f64 / seconds;
        let _ = writeln!(
            outcome.text,
            "| {kind} | {count} | {} | {rate:.0} | {} | {} | {} |",
            times.0.len(),
            millis(at(50.0)),
            millis(at(99.0)),
            millis(at(100.0))
        );
        match *kind {
            "read" => outcome.reads_p99 = at(99.0),
            "sign in and out" => outcome.sign_ins = times.0.len(),
            _ => {}
        }
    }
    outcome
}

/// Microseconds, in a memory that does not grow with their number.
struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds"))
    }
}

struct Client {
    kind: &'static str,
    service: Arc<Running>,
    person: Person,
    times: Times,
    answered: Arc<AtomicU64>,
    counting: Arc<AtomicBool>,
}

impl Client {
    async fn ask_until(mut self, ending: Arc<AtomicBool>) -> (&'static str, Times) {
        let mut refresh_token = self.person.tokens.refresh_token.clone();
        while !ending.load(Ordering::Relaxed) {
            match self.kind {
                "read" => {
                    let token = &self.person.tokens.access_token;
                    let request = self.service.http.get(self.url("/user")).bearer_auth(token);
                    self.timed(request, 200).await;
                }
                "refresh" => {
                    let body = json!({ "refresh_token": refresh_token });
                    let pair = self.timed(self.service.http.post(self.url("/auth/refresh")).json(&body), 200).await;
                    pair["refresh_token"].as_str().expect("a token").clone_into(&mut refresh_token);
                }
                _ => {
                    let body = json!({ "email": self.person.user.email.as_str(), "password": PASSWORD });
                    let pair = self.timed(self.service.http.post(self.url("/auth/login")).json(&body), 200).await;
                    let token = pair["access_token"].as_str().expect("a token");
                    let request = self.service.http.post(self.url("/auth/logout")).bearer_auth(token);
                    let answer = request.send().await.expect("an answer");
                    assert_eq!(answer.status(), 204);
                }
            }
        }
        (self.kind, self.times)
    }

    /// Anything but the expected status fails the measurement.
    async fn timed(&mut self, request: RequestBuilder, status: u16) -> Value {
        let began = Instant::now();
        let answer = request.send().await.expect("an answer");
        let (answered, body) = (answer.status(), answer.bytes().await.expect("a body"));
        self.answered.fetch_add(1, Ordering::Relaxed);
        if self.counting.load(Ordering::Relaxed) {
            let micros = u64::try_from(began.elapsed().as_micros()).expect("less than an age");
            self.times.0.record(micros).expect("less than a minute");
        }
        assert_eq!(answered, status, "{}: {}", self.kind, String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.service.stack.url())
    }
}

/// In MB, of this process: the service and its clients.
fn resident_memory() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux's /proc");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    line.map_or(0.0, |kilobytes: f64| kilobytes / 1024.0)
}

fn mean(numbers: &[f64]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a count of readings is small")]
    let count = numbers.len() as f64;
    numbers.iter().sum::<f64>() / count
}
