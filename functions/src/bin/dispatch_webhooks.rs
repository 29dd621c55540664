use std::process::ExitCode;

fn main() -> ExitCode {
    functions::webhooks::dispatch_webhooks::run()
}
