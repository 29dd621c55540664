use std::process::ExitCode;

fn main() -> ExitCode {
    functions::workers::record_email_events::run()
}
