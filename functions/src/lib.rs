//! The Lambda functions. A route is a file, top to bottom: purpose, path, request, answer, handler. All routes stand
//! in one table here; each binary runs one of them.

#![allow(clippy::missing_errors_doc, reason = "what a route fails with stands in its ROUTE, as data")]

pub mod add_passkey;
pub mod change_password;
pub mod confirm;
pub mod confirm_email;
pub mod confirm_totp;
pub mod delete_passkey;
pub mod delete_picture;
pub mod delete_totp;
pub mod delete_user;
pub mod documentation;
pub mod emailer;
pub mod end_session;
pub mod erase;
pub mod forgot_password;
pub mod get_factors;
pub mod get_user;
pub mod health;
pub mod image;
pub mod introspect;
pub mod keys;
pub mod links;
pub mod list_sessions;
pub mod list_users;
pub mod login;
pub mod logout;
pub mod not_found;
pub mod passkey_login;
pub mod password_page;
pub mod presign;
pub mod qr;
pub mod refresh;
pub mod register;
pub mod rename_passkey;
pub mod renew_recovery_codes;
pub mod reset_password;
pub mod second_factor;
pub mod send;
pub mod start_passkey;
pub mod start_passkey_login;
pub mod start_totp;
pub mod step_up;
pub mod sweeper;
pub mod thumbnails;
pub mod undo_email;
pub mod update_user;
pub mod upload_picture;
pub mod verify_login;

use shared::error::Code;
use shared::http::Route;

/// Every route of the contract.
pub const ROUTES: [Route; 37] = [
    register::ROUTE,
    send::ROUTE,
    confirm::ROUTE,
    login::ROUTE,
    verify_login::ROUTE,
    start_passkey_login::ROUTE,
    passkey_login::ROUTE,
    step_up::ROUTE,
    refresh::ROUTE,
    logout::ROUTE,
    change_password::ROUTE,
    forgot_password::ROUTE,
    reset_password::ROUTE,
    confirm_email::ROUTE,
    undo_email::ROUTE,
    list_sessions::ROUTE,
    end_session::ROUTE,
    introspect::ROUTE,
    get_user::ROUTE,
    update_user::ROUTE,
    delete_user::ROUTE,
    list_users::ROUTE,
    upload_picture::ROUTE,
    delete_picture::ROUTE,
    get_factors::ROUTE,
    start_totp::ROUTE,
    confirm_totp::ROUTE,
    delete_totp::ROUTE,
    renew_recovery_codes::ROUTE,
    start_passkey::ROUTE,
    add_passkey::ROUTE,
    rename_passkey::ROUTE,
    delete_passkey::ROUTE,
    health::ROUTE,
    password_page::ROUTE,
    documentation::ROUTE,
    keys::ROUTE,
];

/// What there is to know of each route without its handler, so that a binary that tells of all does not carry them all.
pub const OUTLINES: [Outline; ROUTES.len()] = {
    let mut outlines = [Outline::of(&ROUTES[0]); ROUTES.len()];
    let mut at = 1;
    while at < ROUTES.len() {
        outlines[at] = Outline::of(&ROUTES[at]);
        at += 1;
    }
    outlines
};

/// A [`Route`] without its handler; its fields are described there.
#[derive(Debug, Clone, Copy)]
pub struct Outline {
    pub paths: &'static [&'static str],
    pub methods: &'static [&'static str],
    pub root_paths: &'static [&'static str],
    pub errors: &'static [Code],
    pub uses_table: bool,
    pub limited: bool,
}

impl Outline {
    const fn of(route: &Route) -> Self {
        let Route { paths, methods, root_paths, errors, uses_table, limit, .. } = *route;
        Self { paths, methods, root_paths, errors, uses_table, limited: limit.is_some() }
    }
}
