use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::webhooks::retry_delivery::ROUTE.served() })
}
