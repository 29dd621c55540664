//! Prints the API's OpenAPI document: `cargo run -p functions --example openapi > openapi.json`.

use functions::service::api_docs::openapi::document;
use shared::domain::password::MinLength;

fn main() {
    println!("{}", document("Example", MinLength::default()).to_pretty_json().expect("the document is JSON"));
}
