use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::service::not_found::ROUTE.served() })
}
