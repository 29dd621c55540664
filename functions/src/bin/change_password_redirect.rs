use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::passwords::change_password_redirect::ROUTE.served() })
}
