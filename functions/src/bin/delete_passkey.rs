use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::delete_passkey::ROUTE)
}
