use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::staff::end_user_sessions::ROUTE.served() })
}
