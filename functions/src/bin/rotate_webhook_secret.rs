use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::webhooks::rotate_webhook_secret::ROUTE.served() })
}
