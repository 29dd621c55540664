use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::sessions::verify_login::ROUTE.served() })
}
