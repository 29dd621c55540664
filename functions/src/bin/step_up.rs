use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::step_up::ROUTE)
}
