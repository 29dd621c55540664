use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::accounts::list_users::ROUTE.served() })
}
