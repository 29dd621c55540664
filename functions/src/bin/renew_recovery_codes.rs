use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::factors::renew_recovery_codes::ROUTE.served() })
}
