//! A function as it runs in Lambda, for the test of its runtime.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::health::ROUTE)
}
