//! Starting and stopping all of it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use axum::middleware;
use embedded::{BusEvent, Callers, Embedded, Notification, Origins, Outage, Rule, Service, SuppressionReason};
use shared::App;
use shared::app::network;
use shared::clock::Clock;
use shared::config::{Config, ConfigError};
use shared::error::Causes;
use shared::telemetry::{self, Records, Shipper};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use crate::connector;
use crate::entrance::{self, Client, Entrance, TolerantListener};
use crate::environment::{self, Environment};
use crate::gateway::Gateway;
use crate::pages::{self, Local};
use crate::provision::{self, TABLE, UPLOADS};
use crate::queues::{self, Queue};
use crate::stream::{self, STREAM_CONSUMERS, StreamConsumer};
use crate::threads::Lists;

/// What to start with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port of the gateway on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Where data is kept between runs; `None` keeps nothing.
    pub data: Option<PathBuf>,
    /// Whether to start with empty data.
    pub fresh: bool,
    pub clock: Clock,
    /// Configuration variables that come before the environment's.
    pub variables: HashMap<String, String>,
    /// Whether the sweeper runs by itself, every minute.
    pub sweeping: bool,
    /// Whether what reads the table's stream runs: it publishes events and enqueues them for webhooks.
    pub publishing: bool,
    /// How long a received message stays hidden from other consumers.
    pub visibility: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 9000,
            data: None,
            fresh: false,
            clock: Clock::default(),
            variables: HashMap::new(),
            sweeping: true,
            publishing: true,
            visibility: Duration::from_secs(30),
        }
    }
}

/// Why the stack did not start: one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on port {port}: {cause}; PORT=8080 chooses another, PORT=0 a free one")]
    Port { port: u16, cause: std::io::Error },
    #[error("failed to start a runtime: {0}")]
    Runtime(std::io::Error),
    #[error(transparent)]
    Embedded(#[from] embedded::StartError),
    #[error("CORS_ORIGINS: {0}")]
    Origins(#[from] embedded::InvalidOrigin),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0} is not a limit; docs/configuration.md lists them")]
    UnknownLimit(String),
    #[error(transparent)]
    Environment(#[from] environment::WriteError),
    #[error(transparent)]
    App(#[from] shared::app::StartError),
    #[error("failed to create the tables, queues and buckets: {0}; --fresh starts with empty data")]
    Provision(#[from] provision::ProvisionError),
}

/// The running service.
pub struct Stack {
    pub app: App,
    address: SocketAddr,
    embedded: Embedded,
    shipper: Shipper,
    log: Dispatch,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Stack {
    /// # Errors
    /// One line that says what is in the way.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { port, data, fresh, clock, variables, sweeping, publishing, visibility } = options;
        if let Some(name) = environment::unknown_limit() {
            return Err(StartError::UnknownLimit(name));
        }
        let lists = Lists::start().map_err(StartError::Runtime)?;
        let on_port = |cause| StartError::Port { port, cause };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(on_port)?;
        let address = listener.local_addr().map_err(on_port)?;
        let kept_in = data.clone();
        let given = |name: &str| variables.get(name).cloned().or_else(|| std::env::var(name).ok());
        let public_url = given("PUBLIC_URL").and_then(|url| url::Url::parse(&url).ok());
        let origins = origins(given("CORS_ORIGINS").as_deref(), public_url.as_ref(), address)?;
        let embedded = Embedded::start(embedded::Options {
            data,
            fresh,
            origins: origins.clone(),
            notifications: vec![Notification { bucket: UPLOADS.into(), queue: Queue::Images.name().into() }],
            rules: vec![Rule {
                bus: "default".into(),
                sources: vec!["aws.ses".into()],
                queue: Queue::EmailEvents.name().into(),
            }],
        })
        .await?;

        let environment = Environment::new(address, &embedded, variables);
        let config = Config::read(|name| environment.get(name))?;
        if let Some(folder) = &kept_in {
            environment.write_to(folder)?;
        }
        let connector = connector::connector(embedded.services(), network(&config)?);
        let app = App::with_connector(config, clock.clone(), connector)?;
        provision::provision(&app, visibility).await?;
        embedded.resend_notifications().await;
        embedded.send_test_events();

        let records = Records::default();
        let log = Dispatch::new(telemetry::subscriber(clock, records.clone(), false));
        let shipper = Shipper::new(app.clone(), records).without_waits();
        let (stop, stopped) = watch::channel(false);
        // A `PUBLIC_URL` of another name leads here through a proxy or tunnel of the developer's.
        let callers = Callers::with_pages(origins.clone());
        let callers = public_url.iter().filter_map(url::Url::host_str).fold(callers, Callers::at);
        let mut stack = Self { app, address, embedded, shipper, log, stop, tasks: JoinSet::new() };
        stack.serve(listener, &stopped, callers, Gateway::new(&stack.app, origins, stack.log.clone(), lists));
        stack.spawn_all(&stopped);
        if publishing {
            stack.spawn_publishers(&stopped);
        }
        if sweeping {
            stack.spawn_sweeper(&stopped);
        }
        // The schedule's first run is now: keys are there before the first request.
        stack.sweep().await;
        Ok(stack)
    }

    fn serve(&mut self, listener: TcpListener, stopped: &watch::Receiver<bool>, callers: Callers, gateway: Gateway) {
        let local = Local::new(&self.app, self.address, &self.embedded, self.shipper.clone(), self.log.clone());
        let entrance = Entrance::new(callers, self.app.clock.clone());
        let service = pages::router(local)
            .fallback_service(gateway.router())
            .layer(middleware::from_fn_with_state(entrance, entrance::admit));
        let service = service.into_make_service_with_connect_info::<Client>();
        let mut stopping = stopped.clone();
        self.tasks.spawn(async move {
            let stopping = async move { drop(stopping.wait_for(|stop| *stop).await) };
            // It ends when told to; an error of one connection ends that connection alone.
            let _ = axum::serve(TolerantListener(listener), service).with_graceful_shutdown(stopping).await;
        });
    }

    fn spawn_all(&mut self, stopped: &watch::Receiver<bool>) {
        for (queue, batch, at_once, handler) in queues::CONSUMED {
            for _ in 0..at_once {
                let task = queues::consume(self.app.clone(), queue, batch, handler, stopped.clone());
                self.tasks.spawn(task.with_subscriber(self.log.clone()));
            }
        }
        let (shipper, mut stopping) = (self.shipper.clone(), stopped.clone());
        let task = async move {
            while tokio::time::timeout(Duration::from_millis(200), stopping.wait_for(|stop| *stop)).await.is_err() {
                shipper.ship(Duration::ZERO).await;
            }
        };
        self.tasks.spawn(task.with_subscriber(self.log.clone()));
    }

    fn spawn_publishers(&mut self, stopped: &watch::Receiver<bool>) {
        for StreamConsumer { name, filter, handler } in STREAM_CONSUMERS {
            let (app, changes) = (self.app.clone(), self.embedded.changes(TABLE, name));
            let task = stream::consume(changes, filter, move |event| handler(app.clone(), event), stopped.clone());
            self.tasks.spawn(task.with_subscriber(self.log.clone()));
        }
    }

    fn spawn_sweeper(&mut self, stopped: &watch::Receiver<bool>) {
        let (app, mut stopping) = (self.app.clone(), stopped.clone());
        let task = async move {
            while tokio::time::timeout(Duration::from_mins(1), stopping.wait_for(|stop| *stop)).await.is_err() {
                sweep(&app).await;
            }
        };
        self.tasks.spawn(task.with_subscriber(self.log.clone()));
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every address with what is there.
    #[must_use]
    pub fn addresses(&self) -> Vec<pages::Address> {
        pages::addresses(&self.url(), &self.embedded)
    }

    /// Runs the sweeper once, as its schedule does.
    pub async fn sweep(&self) {
        sweep(&self.app).with_subscriber(self.log.clone()).await;
    }

    /// Makes an embedded service fail, for tests.
    pub fn set_outage(&self, service: Service, outage: Outage) {
        self.embedded.set_outage(service, outage);
    }

    /// The events that a bus accepted, the service's own and those of SES, newest first.
    #[must_use]
    pub fn bus_events(&self) -> Vec<BusEvent> {
        self.embedded.received().events()
    }

    /// Whether every consumer of the main table's stream is done with all changes.
    #[must_use]
    pub fn has_read_all_changes(&self) -> bool {
        STREAM_CONSUMERS.iter().all(|consumer| self.embedded.has_read_all(TABLE, consumer.name))
    }

    /// Puts an address on SES's suppression list, as a bounce or a complaint does.
    pub fn suppress(&self, address: &str, reason: SuppressionReason) {
        self.embedded.suppress(address, reason);
    }

    /// What went to the log stream, newest first, once all of it is there.
    pub async fn logs(&self) -> Vec<serde_json::Value> {
        self.shipper.ship(Duration::ZERO).with_subscriber(self.log.clone()).await;
        self.embedded.received().logs().into_iter().map(|record| record.data).collect()
    }

    /// Ends requests under way, ships the last log lines, and stops.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(5), ended).await;
        self.shipper.ship(Duration::ZERO).await;
        self.embedded.stop().await;
    }
}

/// The web pages that may call: those of `CORS_ORIGINS`, or else of this machine; always the stack's own, which upload to S3.
fn origins(
    listed: Option<&str>,
    public_url: Option<&url::Url>,
    address: SocketAddr,
) -> Result<Origins, embedded::InvalidOrigin> {
    let origins = match listed.filter(|listed| !listed.is_empty()) {
        Some(listed) => listed.parse()?,
        None => Origins::default(),
    };
    let origins = origins.and(format!("http://{address}")).and(format!("http://localhost:{}", address.port()));
    Ok(public_url.map(|url| url.origin().ascii_serialization()).into_iter().fold(origins, Origins::and))
}

async fn sweep(app: &App) {
    if let Err(error) = functions::workers::sweeper::handler(app.clone(), EventBridgeEvent::default()).await {
        tracing::error!(error.message = %Causes(&error), "the sweeper failed");
    }
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("address", &self.address).finish_non_exhaustive()
    }
}
