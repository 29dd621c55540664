use std::process::ExitCode;

fn main() -> ExitCode {
    functions::transfer::import_users::run()
}
