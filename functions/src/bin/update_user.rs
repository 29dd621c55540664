use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::accounts::update_user::ROUTE.served() })
}
