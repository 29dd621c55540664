//! A function's `main`: configuration, clients, one read that warms the connection, logs, and the runtime.

use std::process::ExitCode;

use lambda_http::lambda_runtime::{self, LambdaEvent};
use lambda_http::{Error, tower};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::Route;
use crate::telemetry::{self, Finished, Records, Shipper};

/// Serves a route as a Lambda function behind an HTTP API.
#[must_use]
pub fn serve(route: &Route) -> ExitCode {
    start(route.uses_table, route.hashes, async |app: App, finished| {
        let service = route.service(app);
        let service = tower::service_fn(move |request| {
            let (mut service, guard) = (service.clone(), finished.as_ref().map(|finished| finished()));
            async move {
                let answer = tower::Service::call(&mut service, request).await;
                drop(guard);
                answer
            }
        });
        lambda_http::run(service).await
    })
}

/// Serves a function that takes events of type `E`.
#[must_use]
pub fn consume<E, A, F>(handler: fn(App, E) -> F) -> ExitCode
where
    E: DeserializeOwned + Send + 'static,
    A: Serialize,
    F: Future<Output = Result<A, crate::Error>> + Send + 'static,
{
    start(true, false, async |app: App, finished| {
        lambda_runtime::run(lambda_runtime::service_fn(move |event: LambdaEvent<E>| {
            let (answer, guard) = (handler(app.clone(), event.payload), finished.as_ref().map(|finished| finished()));
            async move {
                let answer = answer.await;
                drop(guard);
                answer.map_err(|error| Error::from(error.to_string()))
            }
        }))
        .await
    })
}

type MakeGuard = Box<dyn Fn() -> Finished + Send + Sync>;

fn start(
    uses_table: bool,
    hashes: bool,
    run: impl AsyncFnOnce(App, Option<std::sync::Arc<MakeGuard>>) -> Result<(), Error>,
) -> ExitCode {
    let outcome =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::from).and_then(|runtime| {
            runtime.block_on(async {
                let clock = Clock::default();
                let records = Records::default();
                tracing::subscriber::set_global_default(telemetry::subscriber(clock.clone(), records.clone(), true))?;
                let app = App::new(Config::from_env()?, clock)?;
                let warm = async {
                    if uses_table {
                        app.warm().await;
                    }
                };
                // Once the connection is on its way; nothing waits for it but the first hash.
                let prepare = async {
                    if hashes {
                        app.hasher.prepare();
                    }
                };
                let register = async {
                    if app.config.log_stream.is_none() {
                        return Ok(None);
                    }
                    let make = telemetry::ship_after_each_answer(Shipper::new(app.clone(), records)).await?;
                    Ok::<_, Error>(Some(std::sync::Arc::new(Box::new(make) as MakeGuard)))
                };
                // None needs another, so none waits for it.
                let ((), (), finished) = tokio::join!(warm, prepare, register);
                run(app.clone(), finished?).await
            })
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The subscriber may not stand yet; Lambda shows standard error as the reason the function did not start.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
