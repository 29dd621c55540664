use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::webhooks::update_webhook::ROUTE.served() })
}
