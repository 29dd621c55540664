//! What a warm request costs each function: the time its process computes, apart from the password's hash, and its calls
//! to DynamoDB. The function is its own binary, as Lambda runs it; the log that it ships afterwards is counted in.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::events::{Events, every_function};
use crate::function::{Cpu, Function};
use crate::meter::{Meter, Usage};
use crate::report;
use crate::samples::{millis, ratio};
use crate::service::Running;

const REQUESTS: u32 = 200;
const COMMAND: &str = "bench/with-functions requests";
/// Enough for connections, keys and allocator to have settled.
const WARM_UP: u32 = 20;
/// As DynamoDB takes on AWS, roughly: longer than a function takes from one of its calls at once to the other.
const LATENCY: Duration = Duration::from_millis(3);
/// What they are about takes an authenticator to make, and `not_found` has nothing else to say.
const REFUSED: [&str; 5] = ["add_passkey", "delete_passkey", "not_found", "passkey_login", "rename_passkey"];

/// Measures the functions that `arguments` name, all of them by default; a number among them is how many requests each
/// gets.
pub async fn run(arguments: impl Iterator<Item = String>) {
    let (mut requests, mut chosen) = (REQUESTS, Vec::new());
    for argument in arguments {
        match argument.parse() {
            Ok(number) => requests = number,
            Err(_) => chosen.push(argument),
        }
    }
    let all = chosen.is_empty();
    let mut bench = Bench::start().await;
    let mut table = String::from(
        "| function | CPU | of it hashing | the rest | CPU / hashing | DynamoDB calls | round trips | read units \
         | write units | log lines | memory, MB | said |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for name in if all { every_function() } else { chosen } {
        table += &bench.measure(&name, requests).await.row();
    }
    let _ = writeln!(
        table,
        "\nOne argon2 verification at the default cost, alone: {}.",
        millis(bench.service.verification().await)
    );
    if all {
        let command = format!("`{COMMAND}`, {requests} requests each, means; memory is the process's peak");
        report::publish("requests", "Warm requests", &command, &table).await;
    } else {
        print!("{table}");
    }
    bench.stop().await;
}

/// The service, with some of its functions as separate processes.
pub struct Bench {
    service: Running,
    meter: Meter,
    events: Events,
    environment: HashMap<&'static str, String>,
}

/// What so many requests to one function took altogether.
pub struct Measured {
    pub name: String,
    pub requests: u32,
    pub cpu: Cpu,
    pub usage: Usage,
    /// Lines of the log, and their bytes.
    pub log: (u64, u64),
    /// The process's peak, in MB.
    pub memory: f64,
    /// The status of its answers.
    pub said: String,
}

impl Bench {
    pub async fn start() -> Self {
        let service = Running::start().await;
        let dynamodb = service.stack.app.config.aws.endpoints.dynamodb.clone().expect("an endpoint");
        let meter = Meter::before(&dynamodb, LATENCY).await;
        let environment = service.function_environment(&meter.endpoint);
        let events = Events::of(&service.stack.app).await;
        Self { service, meter, events, environment }
    }

    pub async fn measure(&mut self, name: &str, requests: u32) -> Measured {
        let mut function = Function::start(name, &self.environment).await;
        let (mut cpu, mut usage, mut log) = (Cpu::default(), Usage::default(), (0, 0));
        let mut said = String::new();
        for request in 0..WARM_UP + requests {
            let event = self.events.next(name).await;
            if request == WARM_UP {
                (cpu, usage, log) = (function.cpu(), self.meter.usage(), function.log());
            }
            let answer = function.invoke(&event).await;
            let status = answer["statusCode"].as_u64().map_or_else(|| "done".to_owned(), |status| status.to_string());
            assert!(request == 0 || status == said, "{name} said {said}, then {answer}");
            said = status;
        }
        let refused = said.starts_with(['4', '5']);
        assert_eq!(refused, REFUSED.contains(&name), "{name} said {said}");
        let measured = Measured {
            name: name.to_owned(),
            requests,
            cpu: function.cpu().since(cpu),
            usage: self.meter.usage() - usage,
            log: (function.log().0 - log.0, function.log().1 - log.1),
            memory: function.peak_memory(),
            said,
        };
        function.stop().await;
        measured
    }

    pub async fn stop(self) {
        self.service.stack.stop().await;
    }
}

impl Measured {
    fn row(&self) -> String {
        let Self { name, requests, cpu, usage, log, memory, said } = self;
        let hashes = !cpu.hashing.is_zero();
        let each = |number: f64| number / f64::from(*requests);
        #[allow(clippy::cast_precision_loss, reason = "a count of lines is small")]
        let lines = each(log.0 as f64);
        format!(
            "| {name} | {} | {} | {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {lines:.1} | {memory:.0} | {said} |\n",
            millis(cpu.total() / *requests),
            if hashes { millis(cpu.hashing / *requests) } else { String::new() },
            millis(cpu.serving / *requests),
            if hashes { format!("{:.3}", ratio(cpu.total(), cpu.hashing)) } else { String::new() },
            each(usage.calls.into()),
            each(usage.round_trips.into()),
            each(usage.read_units),
            each(usage.write_units),
        )
    }
}
