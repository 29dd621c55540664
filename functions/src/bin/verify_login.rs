use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::verify_login::ROUTE)
}
