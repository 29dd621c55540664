use std::process::ExitCode;

fn main() -> ExitCode {
    functions::webhooks::deliver_webhooks::run()
}
