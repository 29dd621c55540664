use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::consume(functions::image::handler)
}
