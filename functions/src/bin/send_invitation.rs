use std::process::ExitCode;

fn main() -> ExitCode {
    shared::lambda::serve(const { &functions::invitations::send_invitation::ROUTE.served() })
}
