use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::update_user::ROUTE)
}
