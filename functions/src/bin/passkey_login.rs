use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::passkey_login::ROUTE)
}
