use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::factors::rename_passkey::ROUTE.served() })
}
