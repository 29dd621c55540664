use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::staff::impersonate_user::ROUTE.served() })
}
