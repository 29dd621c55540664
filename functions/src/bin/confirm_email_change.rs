use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::accounts::confirm_email_change::ROUTE.served() })
}
