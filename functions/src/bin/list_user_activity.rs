use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::activity::list_user_activity::ROUTE.served() })
}
