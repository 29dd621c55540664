use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::staff::list_user_sessions::ROUTE.served() })
}
