use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::reset_password::ROUTE)
}
