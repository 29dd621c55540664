use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::rename_passkey::ROUTE)
}
