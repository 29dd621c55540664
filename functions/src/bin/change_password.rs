use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::change_password::ROUTE)
}
