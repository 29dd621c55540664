//! What happens after an answer: emails, and what is due.

pub mod emailer;
pub mod sweeper;

use shared::http::Area;

pub const AREA: Area = Area {
    name: "workers",
    description: "Emails, and what is due",
    routes: &[],
    workers: &[emailer::WORKER, sweeper::WORKER],
};
