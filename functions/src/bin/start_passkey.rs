use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::start_passkey::ROUTE)
}
