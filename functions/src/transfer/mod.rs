//! Accounts that move in. Moving out needs no function: the command line reads an export of the table.

pub mod import_users;

use shared::http::Area;

pub const AREA: Area =
    Area { name: "transfer", description: "Accounts that move in", routes: &[], workers: &[import_users::WORKER] };
