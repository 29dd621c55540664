//! Failures on demand, so that tests can show what the service does when AWS fails.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use tokio::sync::watch;

use crate::{s3, server};

/// One of the embedded servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Amazon DynamoDB.
    DynamoDb,
    /// Amazon S3.
    S3,
    /// Amazon SQS.
    Sqs,
    /// Amazon SES v2.
    Ses,
    /// Amazon Data Firehose.
    Firehose,
    /// Amazon `EventBridge`.
    EventBridge,
}

/// How a server fails. A kind that a server does not know counts as [`Outage::Unavailable`] there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outage {
    /// It works.
    #[default]
    None,
    /// Every request is answered 503 and does nothing.
    Unavailable,
    /// Every request does its work, and is answered 503 all the same.
    AnswerLost,
    /// SES only: a mail is refused with `MessageRejected` (400).
    Reject,
    /// DynamoDB only: every write is refused as often as this before it is done, as by AWS while a transaction holds one of
    /// its items: `TransactionConflictException`, and for a transaction `TransactionCanceledException` with that reason.
    Conflict {
        /// Of each write, told apart by what it writes.
        times: u32,
    },
    /// Firehose: of every request's records the first, third, fifth and so on are refused.
    ///
    /// `EventBridge`: of every request's entries the second, fourth, sixth and so on fail, with `InternalFailure` and
    /// `ThrottlingException` in turn, so that a client that sends the failed ones again comes further each time.
    PartialFailure,
}

/// What each server is told to do.
pub(crate) struct Outages {
    pub(crate) dynamodb: watch::Sender<Outage>,
    pub(crate) s3: watch::Sender<Outage>,
    pub(crate) sqs: watch::Sender<Outage>,
    pub(crate) ses: watch::Sender<Outage>,
    pub(crate) firehose: watch::Sender<Outage>,
    pub(crate) events: watch::Sender<Outage>,
}

impl Outages {
    pub(crate) fn none() -> Self {
        let working = || watch::Sender::new(Outage::None);
        Self {
            dynamodb: working(),
            s3: working(),
            sqs: working(),
            ses: working(),
            firehose: working(),
            events: working(),
        }
    }

    pub(crate) fn of(&self, service: Service) -> &watch::Sender<Outage> {
        match service {
            Service::DynamoDb => &self.dynamodb,
            Service::S3 => &self.s3,
            Service::Sqs => &self.sqs,
            Service::Ses => &self.ses,
            Service::Firehose => &self.firehose,
            Service::EventBridge => &self.events,
        }
    }
}

/// A server's own outage, and the kind (besides the general ones) that its handlers deal with.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) service: Service,
    pub(crate) outage: watch::Receiver<Outage>,
}

/// Middleware in front of every server.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let outage = *guard.outage.borrow();
    match (outage, guard.service) {
        (Outage::None, _)
        | (Outage::Reject, Service::Ses)
        | (Outage::PartialFailure, Service::Firehose | Service::EventBridge)
        | (Outage::Conflict { .. }, Service::DynamoDb) => next.run(request).await,
        (Outage::AnswerLost, service) => {
            next.run(request).await;
            unavailable(service)
        }
        (_, service) => unavailable(service),
    }
}

/// The answer of a service that is down.
fn unavailable(service: Service) -> Response {
    const CODE: &str = "ServiceUnavailable";
    const MESSAGE: &str = "The service is unavailable. Please try again.";
    if service == Service::S3 {
        return s3::refusal(StatusCode::SERVICE_UNAVAILABLE, CODE, MESSAGE, "");
    }
    server::refusal(StatusCode::SERVICE_UNAVAILABLE, CODE, MESSAGE)
}
