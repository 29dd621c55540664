use std::process::ExitCode;

fn main() -> ExitCode {
    pictures::worker::serve().unwrap_or_else(|| shared::lambda::consume(functions::image::handler))
}
