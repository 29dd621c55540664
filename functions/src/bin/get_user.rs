use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::accounts::get_user::ROUTE.served() })
}
