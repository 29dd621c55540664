use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::webhooks::test_webhook::ROUTE.served() })
}
