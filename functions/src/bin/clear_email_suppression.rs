use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::accounts::clear_email_suppression::ROUTE.served() })
}
