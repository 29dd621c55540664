use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::staff::clear_email_suppression::ROUTE.served() })
}
