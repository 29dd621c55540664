use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::factors::get_factors::ROUTE.served() })
}
