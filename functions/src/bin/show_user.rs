use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::staff::show_user::ROUTE.served() })
}
