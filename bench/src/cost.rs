//! What a million sign-ins, refreshes and reads cost on AWS: the functions are measured as in `requests`, and what they
//! compute, wait for, read, write and log is priced by `bench/prices.toml`. Then every function's time at other sizes of
//! memory, as its share of a core goes by that.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use shared::http::Route;

use crate::events::every_function;
use crate::prices::{Price, PriceList};
use crate::report;
use crate::requests::{Bench, Measured};

const REQUESTS: u32 = 300;
const COMMAND: &str = "bench/with-functions cost";
const MILLION: f64 = 1e6;
/// Firehose rounds each record up to this, in GB.
const FIREHOSE_RECORD: f64 = 5e-6;
/// The memory that comes with one whole core (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>). With
/// more come more cores, and a function here computes on one at a time.
const ONE_CORE: f64 = 1769.0;
const SIZES: [u32; 6] = [128, 256, 512, 1024, 1769, 3008];

/// What is counted, and by which function.
const KINDS: [(&str, &str); 3] = [("sign-ins", "login"), ("refreshes", "refresh"), ("reads", "get_user")];
/// Within which time a warm function is to answer, in milliseconds: one that hashes, and any other.
const TARGETS: (f64, f64) = (50.0, 15.0);
/// Functions that no client waits for.
const UNHURRIED: [&str; 2] = ["emailer", "sweeper"];
/// Its memory goes by the largest picture that it takes, not by a request: `bench/pictures` measures that.
const BY_PICTURE: &str = "resize_picture";

/// Measures with as many requests of each kind as `arguments` say.
pub async fn run(mut arguments: impl Iterator<Item = String>) {
    let requests = arguments.next().map_or(REQUESTS, |number| number.parse().expect("a number of requests"));
    let list = PriceList::read();
    let mut bench = Bench::start().await;
    let mut measured = BTreeMap::new();
    for function in every_function().into_iter().filter(|function| function != BY_PICTURE) {
        let request = Request::of(&bench.measure(&function, requests).await);
        measured.insert(function, request);
    }
    bench.stop().await;
    let mut text = format!(
        "At the list prices of {} as of {}, without the free tier. Each price and its source, and what is assumed of AWS's \
         times, are in `bench/prices.toml`.\n\n",
        list.region, list.as_of
    );
    for (kind, function) in KINDS {
        let memory = memory_of(function);
        let _ = writeln!(text, "A million {kind}, with {memory} MB:\n\n| | |\n|---|---|");
        let lines = measured[function].bill(memory, &list);
        for line in &lines {
            let _ = writeln!(text, "| {} | ${:.2} |", line.what, line.usd);
        }
        let _ = writeln!(text, "| | **${:.2}** |\n", total(&lines));
    }
    text += SIZES_HEAD;
    for (function, request) in &measured {
        let target = (!UNHURRIED.contains(&function.as_str())).then_some(request.target);
        text += &request.sizes(function, memory_of(function), target, &list);
    }
    let _ = writeln!(text, "\nSources: {}.", list.sources());
    report::publish("cost", "Cost", &format!("`{COMMAND}`, {requests} requests each, means"), &text).await;
}

const SIZES_HEAD: &str = "By memory: the time of a warm answer, and the dollars of Lambda's time for a million. The \
    cheapest that answers within its target is **bold**; the template's is marked by a *.\n\n\
    | function | said | target | 128 MB | 256 MB | 512 MB | 1024 MB | 1769 MB | 3008 MB |\n|---|---|---|---|---|---|---|---|---|\n";

/// What one request takes, whatever runs it.
struct Request {
    said: String,
    /// Within which a warm answer is to come, in milliseconds.
    target: f64,
    cpu_ms: f64,
    round_trips: f64,
    read_units: f64,
    write_units: f64,
    log_lines: f64,
    log_bytes: f64,
    /// The most that the process had, in MB: a function with less would not run.
    peak_memory: f64,
}

struct Line {
    what: String,
    usd: f64,
}

impl Request {
    #[allow(clippy::cast_precision_loss, reason = "counts are small")]
    fn of(measured: &Measured) -> Self {
        let Measured { requests, cpu, usage, log, memory, said, .. } = measured;
        let each = |number: f64| number / f64::from(*requests);
        Self {
            said: said.clone(),
            target: if cpu.hashing.is_zero() { TARGETS.1 } else { TARGETS.0 },
            cpu_ms: each(cpu.total().as_secs_f64() * 1e3),
            round_trips: each(usage.round_trips.into()),
            read_units: each(usage.read_units),
            write_units: each(usage.write_units),
            log_lines: each(log.0 as f64),
            log_bytes: each(log.1 as f64),
            peak_memory: *memory,
        }
    }

    /// How long a warm function with so much memory takes to answer. What it computes while it ships the log, after the
    /// answer, is counted in, as it is measured with the rest.
    fn answer_ms(&self, memory: u32, list: &PriceList) -> f64 {
        let share = (f64::from(memory) / ONE_CORE).min(1.0);
        self.cpu_ms * list.assumptions.core / share + self.round_trips * list.assumptions.dynamodb_ms
    }

    /// In GB-seconds, of whole milliseconds: until the log is shipped.
    fn gb_seconds(&self, memory: u32, list: &PriceList) -> f64 {
        let shipping = if self.log_lines > 0.0 { list.assumptions.firehose_ms } else { 0.0 };
        (self.answer_ms(memory, list) + shipping).ceil() / 1e3 * f64::from(memory) / 1024.0
    }

    /// For a million.
    fn bill(&self, memory: u32, list: &PriceList) -> Vec<Line> {
        let bytes = self.log_bytes + list.assumptions.platform_log_bytes + list.assumptions.access_log_bytes;
        [
            ("API Gateway", 1.0, "api_request"),
            ("Lambda", 1.0, "lambda_request"),
            ("Lambda's time", self.gb_seconds(memory, list), "lambda_gb_second"),
            ("DynamoDB, reads", self.read_units, "read_unit"),
            ("DynamoDB, writes", self.write_units, "write_unit"),
            ("Firehose, a record for each line of the log", self.log_lines * FIREHOSE_RECORD, "firehose_gb"),
            ("CloudWatch Logs, those lines, Lambda's own and the API's", bytes / 1e9, "logs_gb"),
        ]
        .map(|(what, each, price)| Line::of_a_million(what, each, list.of(price)))
        .into()
    }

    fn sizes(&self, function: &str, chosen: u32, target: Option<f64>, list: &PriceList) -> String {
        let best = self.cheapest_within(target.unwrap_or(f64::INFINITY), list);
        let target = target.map(|target| format!("{target} ms")).unwrap_or_default();
        let mut row = format!("| {function} | {} | {target} |", self.said);
        for size in SIZES {
            let usd = Line::of_a_million("", self.gb_seconds(size, list), list.of("lambda_gb_second")).usd;
            let cell = format!("{:.1} ms, ${usd:.2}", self.answer_ms(size, list));
            let cell = if best == Some(size) { format!("**{cell}**") } else { cell };
            let _ = write!(row, " {cell}{} |", if size == chosen { " *" } else { "" });
        }
        row + "\n"
    }

    fn cheapest_within(&self, target: f64, list: &PriceList) -> Option<u32> {
        let fits = |size: &u32| f64::from(*size) >= self.peak_memory && self.answer_ms(*size, list) <= target;
        let cost = |size: &u32| self.gb_seconds(*size, list);
        SIZES.into_iter().filter(fits).min_by(|one, other| cost(one).total_cmp(&cost(other)))
    }
}

impl Line {
    /// `each` of what is priced for one request, a million times. What a request takes is priced by the million, or by one.
    fn of_a_million(what: &str, each: f64, price: &Price) -> Self {
        let Price { usd, per, unit, .. } = price;
        let quantity = MILLION * each / per;
        let (digits, of_a_million) = (usize::from(quantity < 100.0), if *per > 1.0 { " a million" } else { "" });
        let what = format!("{what}: {quantity:.digits$} × ${usd}{of_a_million} ({unit})");
        Self { what, usd: quantity * usd }
    }
}

fn total(lines: &[Line]) -> f64 {
    lines.iter().map(|line| line.usd).sum()
}

/// The memory that a function says it needs.
fn memory_of(function: &str) -> u32 {
    let worker = || functions::workers().find(|worker| worker.name == function).map(|worker| worker.memory);
    functions::route(function).map(Route::memory).or_else(worker).expect("a function")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of round numbers, so that a sum can be done in one's head.
    const LIST: &str = r#"
        region = "r"
        as_of = "2026-01-01"
        [prices]
        api_request = { usd = 1, per = 1_000_000, unit = "u", source = "s" }
        lambda_request = { usd = 0.2, per = 1_000_000, unit = "u", source = "s" }
        lambda_gb_second = { usd = 0.00001, per = 1, unit = "u", source = "s" }
        read_unit = { usd = 0.1, per = 1_000_000, unit = "u", source = "s" }
        write_unit = { usd = 0.5, per = 1_000_000, unit = "u", source = "s" }
        firehose_gb = { usd = 0.03, per = 1, unit = "u", source = "s" }
        logs_gb = { usd = 0.5, per = 1, unit = "u", source = "s" }
        [assumptions]
        dynamodb_ms = 4
        firehose_ms = 10
        core = 1
        platform_log_bytes = 500
        access_log_bytes = 0
    "#;

    const REQUEST: Request = Request {
        said: String::new(),
        target: 15.0,
        cpu_ms: 1.0,
        round_trips: 2.0,
        read_units: 3.0,
        write_units: 4.0,
        log_lines: 2.0,
        log_bytes: 1_500.0,
        peak_memory: 30.0,
    };

    #[test]
    fn a_bill_adds_up_line_by_line() {
        // 1 ms on a whole core, 2 × 4 ms for DynamoDB, 10 ms for Firehose: 19 ms of 1769 MB.
        let time = 0.019 * 1769.0 / 1024.0 * 0.00001 * 1e6;
        let expected = [1.0, 0.2, time, 0.3, 2.0, 0.3, 1.0];
        let bill = REQUEST.bill(1769, &PriceList::parse(LIST));
        assert_eq!(bill.len(), expected.len());
        for (line, expected) in bill.iter().zip(expected) {
            assert!((line.usd - expected).abs() < 1e-9, "{}: {}, not {expected}", line.what, line.usd);
        }
        assert!((total(&bill) - expected.iter().sum::<f64>()).abs() < 1e-9);
    }

    #[test]
    fn less_memory_computes_slower_and_waits_cheaper() {
        let list = PriceList::parse(LIST);
        for (memory, answer_ms, billed_ms) in [
            (1769, 9.0, 19.0),
            (3538, 9.0, 19.0),
            (1024, 8.0 + 1769.0 / 1024.0, 20.0),
            (128, 8.0 + 1769.0 / 128.0, 32.0),
        ] {
            assert!((REQUEST.answer_ms(memory, &list) - answer_ms).abs() < 1e-9, "{memory} MB");
            let billed = billed_ms / 1e3 * f64::from(memory) / 1024.0;
            assert!((REQUEST.gb_seconds(memory, &list) - billed).abs() < 1e-9, "{memory} MB");
        }
    }

    #[test]
    fn the_cheapest_size_is_the_smallest_that_meets_the_target_and_fits() {
        let list = PriceList::parse(LIST);
        for (target, peak_memory, best) in
            [(100.0, 30.0, Some(128)), (100.0, 200.0, Some(256)), (12.0, 30.0, Some(512)), (8.0, 30.0, None)]
        {
            let request = Request { peak_memory, ..REQUEST };
            assert_eq!(request.cheapest_within(target, &list), best, "{target} ms, {peak_memory} MB");
        }
    }

    #[test]
    fn every_line_of_the_table_by_memory_has_as_many_cells() {
        let row = REQUEST.sizes("login", 1769, Some(50.0), &PriceList::parse(LIST));
        let cells: Vec<_> =
            SIZES_HEAD.lines().skip(2).chain([row.trim_end()]).map(|line| line.matches('|').count()).collect();
        assert_eq!(cells, [10, 10, 10]);
    }
}
