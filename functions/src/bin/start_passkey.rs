use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::factors::start_passkey::ROUTE.served() })
}
