use std::process::ExitCode;

fn main() -> ExitCode {
    functions::workers::sweeper::run()
}
