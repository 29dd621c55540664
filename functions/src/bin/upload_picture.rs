use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::upload_picture::ROUTE)
}
