//! Imports of accounts. Exports need no function: the command line reads an export of the table.

pub mod import_users;

use shared::http::Area;

pub const AREA: Area =
    Area { name: "transfer", description: "Account imports", routes: &[], workers: &[import_users::WORKER] };
