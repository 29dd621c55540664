use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::end_session::ROUTE)
}
