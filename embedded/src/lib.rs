//! The AWS services that this workspace uses, inside the process: DynamoDB, S3, SQS, SES v2, Firehose and `EventBridge`
//! on loopback ports, for the local stack and for tests. The AWS SDK talks to them as to the real ones;
//! only the endpoints and the credentials differ. The ports answer the programs of this machine that know the
//! credentials, which are new for each start; web pages may only upload to S3, from the origins that are allowed. A
//! caller in the same process can do without the ports ([`Services`]).
//!
//! Every [`Embedded`] has its own ports and its own data and starts in milliseconds, so each test has
//! one. What a server takes more lightly than AWS is said in its module.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fmt};

use axum::extract::Request;
use axum::response::Response;
use axum::{Router, middleware};
use tempfile::TempDir;
use tokio::sync::{RwLock, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tower::ServiceExt;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

mod callers;
mod dynamodb;
mod error;
mod events;
mod firehose;
mod folder;
mod journal;
mod machine;
mod outage;
mod s3;
mod server;
mod ses;
mod sqs;

pub use callers::{Callers, Foreign, InvalidOrigin, Origins};
pub use dynamodb::changes::{Change, Changes};
pub use error::StartError;
pub use events::{BusEvent, Rule};
pub use firehose::LogRecord;
pub use outage::{Outage, Service};
pub use s3::notification::Notification;
pub use ses::SentMail;
pub use ses::suppression::SuppressionReason;

use dynamodb::changes::Tables;
use events::Events;
use folder::Folder;
use journal::Journal;
use outage::{Guard, Outages};
use s3::{Store, cors};
use server::{Bound, Entrance, Stop};
use ses::suppression::SuppressionList;
use sqs::Sqs;

/// The region that names of queues and events show. Clients may sign for any region.
pub const REGION: &str = "us-east-1";
/// The account that everything belongs to.
pub const ACCOUNT: &str = "000000000000";

/// How long a stop waits for requests under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to start with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where data is kept between runs, except the queues' messages. `None` keeps everything in memory,
    /// and S3's objects in a temporary folder that goes with the [`Embedded`].
    pub data: Option<PathBuf>,
    /// Whether to empty `data` first.
    pub fresh: bool,
    /// Web pages that may upload to S3. The other servers answer none.
    pub origins: Origins,
    /// Buckets whose object-created events go to a queue.
    pub notifications: Vec<Notification>,
    /// Events of a bus that go to a queue.
    pub rules: Vec<Rule>,
}

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
}

impl Credentials {
    /// A random key that is valid nowhere else. Both halves are random: the id alone lets in where no signature
    /// is verified.
    fn new() -> Self {
        let drawn = || machine::new_id().replace('-', "");
        Self { access_key_id: format!("LOCAL{}", drawn().to_uppercase()), secret_access_key: drawn() + &drawn() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Where each server listens, as an SDK's endpoint URL. S3 wants path-style addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Amazon DynamoDB.
    pub dynamodb: String,
    /// Amazon S3.
    pub s3: String,
    /// Amazon SQS.
    pub sqs: String,
    /// Amazon SES v2.
    pub ses: String,
    /// Amazon Data Firehose.
    pub firehose: String,
    /// Amazon `EventBridge`.
    pub events: String,
}

/// The running servers. Dropping it stops them; [`Embedded::stop`] also waits for their end.
pub struct Embedded {
    // Dropped first: this is what tells the servers to stop.
    stop: watch::Sender<()>,
    stopped: Stop,
    tasks: JoinSet<()>,
    endpoints: Endpoints,
    services: Services,
    credentials: Credentials,
    received: Received,
    tables: Arc<Tables>,
    suppressed: Arc<SuppressionList>,
    store: Arc<Store>,
    outages: Outages,
    folder: Option<Folder>,
    temporary: Option<TempDir>,
}

/// The servers without their ports, for callers in the same process, which need not go over the network. S3 is not among them:
/// its objects come in parts. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    servers: Arc<HashMap<String, Router>>,
    stopped: Stop,
    /// Held together by requests under way, and alone by who waits for their end.
    under_way: Arc<RwLock<()>>,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Services").field(&self.servers.keys()).finish()
    }
}

impl Services {
    /// The server that listens at an authority, such as `127.0.0.1:8000`; none once it stops.
    #[must_use]
    pub fn at(&self, authority: &str) -> Option<Server> {
        let router = self.servers.get(authority).filter(|_| !self.stopped.is_requested())?.clone();
        Some(Server { router, under_way: Arc::clone(&self.under_way) })
    }
}

/// One of [`Services`].
pub struct Server {
    router: Router,
    under_way: Arc<RwLock<()>>,
}

impl Server {
    /// Answers as on its port, and checks as much. Others may run before and after the work, as while a request is on its way.
    pub async fn answer(self, request: Request) -> Response {
        let _under_way = self.under_way.read_owned().await;
        yield_now().await;
        // Its log is not the caller's.
        let Ok(response) = self.router.oneshot(request).with_subscriber(NoSubscriber::default()).await;
        yield_now().await;
        response
    }
}

/// What SES, Firehose and `EventBridge` took: mails, log records and events, the newest 10,000 of each. Cheap to clone.
#[derive(Clone)]
pub struct Received {
    mails: Arc<Journal<SentMail>>,
    logs: Arc<Journal<LogRecord>>,
    events: Arc<Journal<BusEvent>>,
}

impl Received {
    /// The mails that SES took, newest first.
    #[must_use]
    pub fn mails(&self) -> Vec<SentMail> {
        self.mails.newest_first()
    }

    /// What Firehose took, newest first.
    #[must_use]
    pub fn logs(&self) -> Vec<LogRecord> {
        self.logs.newest_first()
    }

    /// The events that a bus accepted, newest first.
    #[must_use]
    pub fn events(&self) -> Vec<BusEvent> {
        self.events.newest_first()
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Open the data and listen.
    ///
    /// # Errors
    /// If the data cannot be used or no port is free; each prints as one line for a person.
    #[expect(clippy::unused_async, reason = "the servers need a runtime, and a caller in async code has one")]
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { data, fresh, origins, notifications, rules } = options;
        let credentials = Credentials::new();
        let folder = data.as_deref().map(|data| Folder::open(data, fresh)).transpose()?;
        let file = |name: &str| folder.as_ref().map(|folder| folder.file(name));
        let tables = Arc::new(dynamodb::open(folder.as_ref().map(Folder::path))?);
        let mails = Arc::new(Journal::open(file("mail.jsonl"))?);
        let logs = Arc::new(Journal::open(file("logs.jsonl"))?);
        let bus_events = Arc::new(Journal::open(file("events.jsonl"))?);
        let suppressed = Arc::new(SuppressionList::open(file("suppressed.json"))?);
        let (objects, temporary) = objects_in(file("s3"))?;

        let [dynamodb, s3, sqs, ses, firehose, events] =
            [server::bind()?, server::bind()?, server::bind()?, server::bind()?, server::bind()?, server::bind()?];
        let endpoint = |bound: &Bound| bound.endpoint.clone();
        let endpoints = Endpoints {
            dynamodb: endpoint(&dynamodb),
            s3: endpoint(&s3),
            sqs: endpoint(&sqs),
            ses: endpoint(&ses),
            firehose: endpoint(&firehose),
            events: endpoint(&events),
        };

        let (stop, stopped) = Stop::new();
        let queues = Arc::new(Sqs::new(endpoints.sqs.clone(), stopped.clone()));
        let key_id = credentials.access_key_id.clone();
        let store = Arc::new(Store::open(objects, Arc::clone(&queues), notifications, key_id)?);

        let buses = Arc::new(Events::new(Arc::clone(&bus_events), rules, Arc::clone(&queues)));

        let outages = Outages::none();
        let (mut tasks, mut services) = (JoinSet::new(), HashMap::new());
        let mut serve = |service: Service, bound: Bound, router: Router| {
            let guard = Guard { service, outage: outages.of(service).subscribe() };
            let router = router.layer(middleware::from_fn_with_state(guard, outage::guard));
            let entrance = Entrance::new(service, &origins, &credentials);
            // Outside the guard: a browser is let see that the service is down.
            let router = if service == Service::S3 {
                router.layer(middleware::from_fn(cors::allow))
            } else {
                router.layer(middleware::from_fn_with_state(entrance.clone(), server::authenticate))
            };
            let router = router.layer(middleware::from_fn_with_state(entrance, server::refuse_foreign));
            if service != Service::S3 {
                services.insert(bound.endpoint.trim_start_matches("http://").to_owned(), router.clone());
            }
            tasks.spawn(server::serve(bound.listener, router, stopped.clone()));
        };
        let database = dynamodb::router(Arc::clone(&tables), Arc::clone(&store), outages.dynamodb.subscribe());
        serve(Service::DynamoDb, dynamodb, database);
        serve(Service::S3, s3, s3::router(Arc::clone(&store), &credentials));
        serve(Service::Sqs, sqs, sqs::router(queues));
        let mailer =
            ses::router(Arc::clone(&mails), Arc::clone(&suppressed), Arc::clone(&buses), outages.ses.subscribe());
        serve(Service::Ses, ses, mailer);
        serve(Service::Firehose, firehose, firehose::router(Arc::clone(&logs), outages.firehose.subscribe()));
        serve(Service::EventBridge, events, events::router(buses, outages.events.subscribe()));

        Ok(Self {
            stop,
            services: Services { servers: Arc::new(services), stopped: stopped.clone(), under_way: Arc::default() },
            stopped,
            tasks,
            endpoints,
            credentials,
            received: Received { mails, logs, events: bus_events },
            tables,
            suppressed,
            store,
            outages,
            folder,
            temporary,
        })
    }

    /// Where the servers listen.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The same servers for this process alone, until this ends.
    #[must_use]
    pub fn services(&self) -> Services {
        self.services.clone()
    }

    /// What clients sign with, until this ends. S3 verifies the signature; the other servers only look at the key's id.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What the servers took from the service; the handle stays good when this is stopped.
    #[must_use]
    pub fn received(&self) -> Received {
        self.received.clone()
    }

    /// Make a server fail, or work again. When this returns, every new request meets the new state.
    pub fn set_outage(&self, service: Service, outage: Outage) {
        self.outages.of(service).send_replace(outage);
    }

    /// The changes of a table with a stream, for a consumer: from the oldest one there is, or after the last one that the consumer
    /// of this name committed, in this run or an earlier one with the same data. The table may be created later. A consumer's name
    /// has letters, digits, hyphens and underscores, and is for one table. No outage of `DynamoDB` touches this.
    #[must_use]
    pub fn changes(&self, table: &str, consumer: &str) -> Changes {
        Changes::new(Arc::clone(&self.tables), table, consumer, self.stopped.clone())
    }

    /// Whether a consumer has committed all changes of a table.
    #[must_use]
    pub fn has_read_all(&self, table: &str, consumer: &str) -> bool {
        self.tables.has_read_all(table, consumer)
    }

    /// Put an address on SES's suppression list, as a permanent bounce or a complaint does on AWS. Nothing else puts one there
    /// but the API: the addresses of the simulator never get onto the list, and all others receive what is sent to them.
    pub fn suppress(&self, address: &str, reason: SuppressionReason) {
        self.suppressed.put(address, reason);
    }

    /// Send the event of every object in a bucket with a notification again. Messages do not outlive a
    /// run as objects do, so what was not worked off before the last stop would be forgotten otherwise.
    pub async fn resend_notifications(&self) {
        self.store.resend().await;
    }

    /// Send the test event that S3 sends when a notification is set up.
    pub fn send_test_events(&self) {
        self.store.send_test_events();
    }

    /// Answer the requests under way, end waiting receives, and close the files.
    pub async fn stop(self) {
        let Self { stop, services, mut tasks, folder, temporary, .. } = self;
        drop(stop);
        let ended = timeout(PATIENCE, async {
            while tasks.join_next().await.is_some() {}
            let _all_ended = services.under_way.write().await;
        })
        .await;
        if ended.is_err() {
            tracing::warn!("an embedded server was still answering after {PATIENCE:?}");
        }
        drop((folder, temporary));
    }
}

/// Where S3 keeps objects, and the folder to remove in the end.
fn objects_in(kept: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), StartError> {
    if let Some(kept) = kept {
        return Ok((kept, None));
    }
    let failed = |source| StartError::Folder { path: env::temp_dir(), source };
    let temporary = TempDir::with_prefix("embedded-s3-").map_err(failed)?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}
