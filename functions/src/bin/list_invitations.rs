use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::invitations::list_invitations::ROUTE.served() })
}
