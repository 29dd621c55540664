//! A function as it runs in Lambda, for the test of its runtime: one behind the API, or one behind a queue.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::var("AWS_LAMBDA_FUNCTION_NAME").as_deref() {
        Ok("emailer") => shared::lambda::consume(functions::emailer::handler),
        _ => shared::lambda::serve(&functions::health::ROUTE),
    }
}
