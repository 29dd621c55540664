use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::sessions::start_passkey_login::ROUTE.served() })
}
