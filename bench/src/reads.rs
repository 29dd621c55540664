//! How many reads of one's own account one client gets through the local gateway in a second.

use crate::report;
use crate::samples::{Samples, millis};
use crate::service::Running;

const WARM_UP: usize = 500;
const REQUESTS: usize = 10_000;

pub async fn run() {
    let service = Running::start_without_publishers().await;
    let token = service.signed_in().await;
    let url = format!("{}/api/v1/user", service.stack.url());
    let read = async || {
        let answer = service.http.get(&url).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("a body");
    };
    for _ in 0..WARM_UP {
        read().await;
    }
    let mut samples = Samples::default();
    for _ in 0..REQUESTS {
        samples.take(read()).await;
    }
    #[allow(clippy::cast_precision_loss, reason = "a count of requests is small")]
    let rate = samples.len() as f64 / samples.total().as_secs_f64();
    let table = format!(
        "| route | requests | requests/s | p50 | p99 |\n|---|---|---|---|---|\n| GET /user | {} | {rate:.0} | {} | {} |\n",
        samples.len(),
        millis(samples.median()),
        millis(samples.percentile(99))
    );
    report::publish("reads", "Reads by one client", "`cargo run --release -p bench -- reads`", &table).await;
    service.stack.stop().await;
}
