use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::sessions::logout::ROUTE.served() })
}
