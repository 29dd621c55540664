use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::staff::disable_user::ROUTE.served() })
}
