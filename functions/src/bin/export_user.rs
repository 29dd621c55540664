use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::activity::export_user::ROUTE.served() })
}
