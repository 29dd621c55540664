use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::consume(functions::emailer::handler)
}
