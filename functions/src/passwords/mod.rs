//! Passwords: changing one, and choosing a new one through an emailed link.

pub mod change_password;
pub mod change_password_redirect;
pub mod forgot_password;
pub mod reset_password;

use shared::http::Area;

pub const AREA: Area = Area {
    name: "passwords",
    description: "Passwords",
    routes: &[change_password::ROUTE, forgot_password::ROUTE, reset_password::ROUTE, change_password_redirect::ROUTE],
    workers: &[],
};
