use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::pictures::delete_picture::ROUTE.served() })
}
