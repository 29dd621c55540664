//! A service of another team: it takes the access tokens of the user-management service.
//!
//! With the local stack running (`cargo run`):
//!
//!     cargo run -p verify --features axum --example orders
//!
//! `ISSUER` is where the tokens come from, `PORT` where this listens on 127.0.0.1.

use std::env;
use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use verify::Verifier;
use verify::axum::Caller;

async fn own_orders(Caller(claims): Caller) -> String {
    format!("{} has ordered nothing yet\n", claims.sub)
}

async fn all_orders(Caller(claims): Caller) -> Result<&'static str, StatusCode> {
    if claims.has_role("admin") { Ok("no orders yet\n") } else { Err(StatusCode::FORBIDDEN) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = env::var("ISSUER").unwrap_or_else(|_| "http://127.0.0.1:9000/api/v1".to_owned());
    let port = env::var("PORT").unwrap_or_else(|_| "9100".to_owned());

    let verifier = Verifier::builder(&issuer).build()?;
    let routes = Router::new().route("/orders", get(own_orders)).route("/orders/all", get(all_orders));
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("orders are at http://{}/orders, for those who signed in at {issuer}", listener.local_addr()?);
    axum::serve(listener, routes.with_state(verifier)).await?;
    Ok(())
}
