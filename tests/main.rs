//! The service's tests, over HTTP: a folder for each area, and those that cross areas.

#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "a test that cannot go on stops")]

mod accounts {
    mod confirm_registration;
    mod email;
    mod register;
    mod resend_confirmation;
    mod user;
}
mod activity {
    pub mod domain_events;
    mod faults;
    mod owed;
}
mod cli {
    mod accounts;
    pub mod command;
    mod operator;
}
mod factors {
    mod passkeys;
    mod totp;
}
mod invitations {
    mod accept;
}
mod passwords {
    mod password;
}
mod pictures {
    mod picture;
}
mod service {
    mod documents;
}
mod sessions {
    mod introspect;
    mod list_sessions;
    mod login;
    mod logout;
    mod refresh;
    mod step_up;
}
mod staff {
    mod accounts;
    mod impersonation;
    mod search;
    mod users;
}
mod transfer {
    mod elsewhere;
    mod export;
    pub mod import;
}
mod webhooks {
    mod deliveries;
}
mod architecture;
mod conflicts;
mod confusion;
mod deployment;
mod email_delivery;
mod events;
mod factor;
mod gateway;
mod guessing;
mod idempotency;
mod journeys;
mod lambda;
mod layers;
mod local_stack;
mod mail;
mod passkey;
mod recovery;
mod requests;
mod tokens;
mod verify;
