use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::accounts::resend_confirmation::ROUTE.served() })
}
