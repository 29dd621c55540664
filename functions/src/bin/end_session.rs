use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::sessions::end_session::ROUTE.served() })
}
