use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::passwords::reset_password::ROUTE.served() })
}
