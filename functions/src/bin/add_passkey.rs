use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::factors::add_passkey::ROUTE.served() })
}
