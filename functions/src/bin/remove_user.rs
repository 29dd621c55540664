use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::staff::remove_user::ROUTE.served() })
}
