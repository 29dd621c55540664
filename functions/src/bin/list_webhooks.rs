use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::webhooks::list_webhooks::ROUTE.served() })
}
