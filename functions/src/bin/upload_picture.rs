use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::pictures::upload_picture::ROUTE.served() })
}
