use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::add_passkey::ROUTE)
}
