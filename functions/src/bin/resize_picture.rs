use std::process::ExitCode;

fn main() -> ExitCode {
    functions::pictures::resize_picture::run()
}
