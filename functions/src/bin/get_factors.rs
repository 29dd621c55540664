use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(&functions::get_factors::ROUTE)
}
