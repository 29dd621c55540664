use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::confirm_totp::ROUTE)
}
