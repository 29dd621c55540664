use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::activity::list_staff_activity::ROUTE.served() })
}
