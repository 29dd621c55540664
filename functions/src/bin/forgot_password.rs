use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::passwords::forgot_password::ROUTE.served() })
}
