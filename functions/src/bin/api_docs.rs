use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::service::api_docs::ROUTE.served() })
}
