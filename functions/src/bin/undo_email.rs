use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::undo_email::ROUTE)
}
