use std::process::ExitCode;

fn main() -> ExitCode {
    functions::workers::publish_events::run()
}
