use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::delete_totp::ROUTE)
}
