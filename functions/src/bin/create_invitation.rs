use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::invitations::create_invitation::ROUTE.served() })
}
