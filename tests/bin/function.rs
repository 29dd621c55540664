//! A function as it runs in Lambda, for the test of its runtime: one behind the API, or one behind a queue. And the
//! process that reads uploads for the tests, because a test harness has a `main` of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    pictures::worker::serve().unwrap_or_else(run)
}

fn run() -> ExitCode {
    match std::env::var("AWS_LAMBDA_FUNCTION_NAME").as_deref() {
        Ok("emailer") => functions::workers::emailer::run(),
        _ => shared::lambda::serve(const { &functions::service::health::ROUTE.served() }),
    }
}
