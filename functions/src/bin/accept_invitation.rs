use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::invitations::accept_invitation::ROUTE.served() })
}
