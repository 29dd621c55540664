use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::webhooks::create_webhook::ROUTE.served() })
}
