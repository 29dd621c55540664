//! A function's `main`: configuration, clients, one read that warms the connection, logs, and the runtime.

use std::process::ExitCode;

use lambda_http::lambda_runtime::{self, LambdaEvent};
use lambda_http::{Context, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Causes;
use crate::http::{Served, event};
use crate::telemetry::{self, Extension, Finished, Invocations, Records, Shipper};

/// Serves a route as a Lambda function behind an HTTP API.
#[must_use]
pub fn serve(route: &Served) -> ExitCode {
    start(route.uses_table, route.hashes, async |app: App, invocations: Option<Invocations>| {
        let service = route.service(app);
        lambda_runtime::run(lambda_runtime::service_fn(move |event: LambdaEvent<Value>| {
            let guard = begin(invocations.as_ref(), &event.context);
            let answer = event::answer(service.clone(), event);
            async move {
                let answer = answer.await;
                drop(guard);
                Ok::<_, Error>(answer)
            }
        }))
        .await
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
    start(true, false, async |app: App, invocations: Option<Invocations>| {
        lambda_runtime::run(lambda_runtime::service_fn(move |event: LambdaEvent<E>| {
            let guard = begin(invocations.as_ref(), &event.context);
            let answer = handler(app.clone(), event.payload);
            async move {
                let answer = answer.await;
                drop(guard);
                answer.map_err(|error| Error::from(error.to_string()))
            }
        }))
        .await
    })
}

/// A guard of the invocation, if anybody waits for its end.
fn begin(invocations: Option<&Invocations>, context: &Context) -> Option<Finished> {
    invocations.map(|invocations| invocations.begin(context))
}

fn start(
    uses_table: bool,
    hashes: bool,
    run: impl AsyncFnOnce(App, Option<Invocations>) -> Result<(), Error>,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome =
        runtime.map_err(Error::from).and_then(|runtime| runtime.block_on(start_and_run(uses_table, hashes, run)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log subscriber may not be set up yet; Lambda shows standard error as the reason why the function did not start or
            // continue.
            eprintln!("{}", Causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn start_and_run(
    uses_table: bool,
    hashes: bool,
    run: impl AsyncFnOnce(App, Option<Invocations>) -> Result<(), Error>,
) -> Result<(), Error> {
    let clock = Clock::default();
    let records = Records::default();
    tracing::subscriber::set_global_default(telemetry::subscriber(clock.clone(), records.clone(), true))?;
    let config = Config::from_env()?;
    let ships = config.log_stream.is_some();
    let register = async { if ships { Extension::register().await.map(Some) } else { Ok(None) } };
    let make_app = async {
        let app = App::new(config, clock)?;
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
        tokio::join!(warm, prepare);
        Ok(app)
    };
    // Neither needs the other, so neither waits for it.
    let (extension, app) = tokio::try_join!(register, make_app)?;
    let Some(extension) = extension else { return run(app, None).await };
    let invocations = Invocations::default();
    let ship = tokio::spawn(extension.run(invocations.clone(), Shipper::new(app.clone(), records)));
    tokio::select! {
        outcome = run(app, Some(invocations)) => outcome,
        failure = ship => match failure?? {},
    }
}
