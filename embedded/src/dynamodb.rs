//! DynamoDB, by `dynoxide` on `SQLite`.
//!
//! An outage swaps the server behind the listening socket instead of putting a proxy in front, so it
//! costs a working request nothing.
//!
//! Unlike AWS: nothing is throttled, transactions never conflict because there is one writer (but for
//! [`Outage::Conflict`]), an index is never behind its table, and items past their time to live go when the data is opened
//! again.

mod conflict;

use std::io;
use std::path::PathBuf;

use axum::Router;
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::StartError;
use crate::outage::{Outage, Service, unavailable};
use crate::server::Stop;

/// Open the file, or a database in memory.
pub(crate) fn open(path: Option<PathBuf>) -> Result<Database, StartError> {
    let Some(path) = path else {
        return Database::memory().map_err(|error| StartError::DynamoDb(error.to_string()));
    };
    let open = || {
        let name = path.to_str().ok_or("its name is not UTF-8")?;
        let database = Database::new(name).map_err(|error| error.to_string())?;
        // Sets `synchronous = NORMAL`: with the write-ahead log a crash of the process loses nothing,
        // and a write does not wait for the disk.
        database.disable_bulk_loading().map_err(|error| error.to_string())?;
        database.sweep_ttl().map_err(|error| error.to_string())?;
        Ok::<_, String>(database)
    };
    open().map_err(|reason| StartError::Unreadable { path: path.clone(), reason })
}

/// Serve until told to stop. `serving` always holds the state that new requests meet: a change of
/// `outage` has taken effect once it is seen there.
pub(crate) async fn serve(
    listener: TcpListener,
    database: Database,
    mut outage: watch::Receiver<Outage>,
    serving: watch::Sender<Outage>,
    stop: Stop,
) {
    let run = async {
        let socket = listener.into_std()?;
        while !stop.is_requested() {
            let current = *outage.borrow_and_update();
            let listener = TcpListener::from_std(socket.try_clone()?)?;
            let turn = next_turn(outage.clone(), stop.clone());
            serving.send_replace(current);
            match current {
                Outage::None => dynoxide::server::serve_with_shutdown(listener, database.clone(), turn)
                    .await
                    .map_err(io::Error::other)?,
                Outage::Conflict { times } => conflict::serve(listener, database.clone(), times, turn).await?,
                _ => {
                    let down = Router::new().fallback(async || unavailable(Service::DynamoDb));
                    axum::serve(listener, down).with_graceful_shutdown(turn).await?;
                }
            }
        }
        io::Result::Ok(())
    };
    if let Err(error) = run.await {
        tracing::error!(%error, "the embedded DynamoDB ended");
    }
}

async fn next_turn(mut outage: watch::Receiver<Outage>, stop: Stop) {
    tokio::select! {
        _ = outage.changed() => {}
        () = stop.requested() => {}
    }
}
