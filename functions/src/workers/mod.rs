//! Work after a response: emails, events and scheduled work.

pub mod emailer;
pub mod publish_events;
pub mod record_email_events;
pub mod sweeper;

use shared::http::Area;

pub const AREA: Area = Area {
    name: "workers",
    description: "Emails, events and scheduled work",
    routes: &[],
    workers: &[emailer::WORKER, sweeper::WORKER, publish_events::WORKER, record_email_events::WORKER],
};
