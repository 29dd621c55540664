use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::renew_recovery_codes::ROUTE)
}
