use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::service::jwks::ROUTE.served() })
}
