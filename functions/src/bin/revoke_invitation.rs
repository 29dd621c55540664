use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::invitations::revoke_invitation::ROUTE.served() })
}
