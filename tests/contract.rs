//! The API's own document, held against what the service does: every answer that a test gets has to be as it says there.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use boon::{Compiler, SchemaIndex, Schemas};
use functions::service::api_docs::openapi::document;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use shared::domain::password::MinLength;
use shared::http::BASE_PATH;
use shared::http::path::fits;

use crate::Answer;

pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let json = document("Example", MinLength::default()).to_json().expect("the document is JSON");
    serde_json::from_str(&json).expect("the document is JSON")
});

/// What was compiled of the document, by where it stands there.
static SCHEMAS: LazyLock<Mutex<Compiled>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Compiled {
    schemas: Schemas,
    by_pointer: HashMap<String, SchemaIndex>,
}

/// Holds an answer against the operation that gave it: its status, its media type, its body.
///
/// # Panics
/// When the document does not have it so.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let Some((template, operation)) = operation(method, path) else {
        return;
    };
    // The gateway refuses these itself, whatever the path; the last alone what is not of this machine.
    let foreign = answer.status == StatusCode::FORBIDDEN && answer.text.contains("are rejected");
    if answer.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE || foreign {
        return;
    }
    let (status, place) = (answer.status.as_u16().to_string(), format!("{method} {path}: {}", answer.status));
    let response = &operation["responses"][&status];
    assert!(response.is_object(), "{place} is not documented: {}", answer.text);
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default();
    let Some(content) = response["content"].as_object() else {
        assert!(answer.text.is_empty(), "{place} is documented without content: {}", answer.text);
        return;
    };
    assert!(content.contains_key(media_type), "{place} is not documented as {media_type:?}");
    if media_type.ends_with("json") {
        let method = method.as_str().to_lowercase();
        let at = ["paths", template, &method, "responses", &status, "content", media_type, "schema"].map(escaped);
        if let Some(problems) = problems(&at.join("/"), &answer.json()) {
            panic!("{place} does not fit the document: {problems} {}", answer.text);
        }
    }
}

/// Why a value does not fit the schema at a JSON pointer into the document; nothing if it does.
///
/// # Panics
/// When there is no schema.
pub fn problems(pointer: &str, value: &Value) -> Option<String> {
    let mut known = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let Compiled { schemas, by_pointer } = &mut *known;
    let schema = *by_pointer.entry(pointer.to_owned()).or_insert_with(|| {
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource("urn:openapi", DOCUMENT.clone()).expect("a name");
        let schema = compiler.compile(&format!("urn:openapi#/{pointer}"), schemas);
        schema.unwrap_or_else(|error| panic!("{pointer}: {error}"))
    });
    schemas.validate(value, schema).err().map(|error| error.to_string())
}

/// The template of a path with the operation behind it; a template without variables goes before others.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let path = path.strip_prefix(BASE_PATH)?;
    let paths = DOCUMENT["paths"].as_object()?;
    let template =
        paths.keys().filter(|template| fits(template, path)).min_by_key(|template| template.contains('{'))?;
    Some((template, paths[template].get(method.as_str().to_lowercase())?))
}

/// A name as a part of a JSON pointer (RFC 6901, 3) in a URL's fragment.
#[must_use]
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D")
}
