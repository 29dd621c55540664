//! What the service says of itself: health, keys, metadata, documentation

use std::collections::BTreeSet;

use functions::routes;
use reqwest::Method;
use serde_json::{Value, json};
use shared::http::BASE_PATH;
use tests::{Answer, TestApp, text};

/// The same document under the API's path and at the root.
async fn both(app: &TestApp, path: &str) -> Answer {
    let (one, other) = (app.get(path).await, app.get(&app.local(path)).await);
    assert_eq!(one.status, 200, "{path}");
    assert_eq!((one.status, &one.text), (other.status, &other.text), "{path}");
    assert_eq!(one.header("cache-control"), other.header("cache-control"), "{path}");
    one
}

#[tokio::test]
async fn the_service_says_that_it_is_up() {
    let app = TestApp::start().await;
    let answer = both(&app, "/health").await;
    assert_eq!(answer.json(), json!({ "status": "ok" }));
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn the_public_keys_are_there_for_everyone_and_may_be_cached() {
    let app = TestApp::start().await;
    let answer = both(&app, "/.well-known/jwks.json").await;
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 1);
    let key = &keys[0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("EC"), &json!("P-256"), &json!("ES256")));
    assert_eq!(key["use"], "sig");
    for part in ["kid", "x", "y"] {
        assert!(key[part].as_str().is_some_and(|text| text.len() >= 43), "{part}: {key}");
    }
    assert_eq!(key.get("d"), None, "a private key is private");
}

/// Reported by users of openidconnect-rs (issue 201) and seen with openid-client: what metadata names has to work as its
/// standard says.
#[tokio::test]
async fn the_metadata_names_what_works_as_its_standard_says_and_nothing_else() {
    let app = TestApp::start().await;
    let answer = both(&app, "/.well-known/oauth-authorization-server").await;
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let issuer = format!("{}{BASE_PATH}", app.stack.url());
    let expected = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "introspection_endpoint": format!("{issuer}/auth/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "response_types_supported": [],
        "grant_types_supported": [],
        "service_documentation": format!("{issuer}/apidocs"),
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(app.get(&text(&expected["jwks_uri"])).await.text, app.get("/.well-known/jwks.json").await.text);
    assert_eq!(app.get(&text(&expected["service_documentation"])).await.status, 200);
    let asked = app.request(Method::POST, &text(&expected["introspection_endpoint"])).form(&[("token", "x")]);
    assert_eq!(Answer::of(asked).await.code(), "invalid_client");
}

/// Clients ask at the issuer's host, with the issuer's path behind the well-known one (RFC 8414, 3.1).
#[tokio::test]
async fn a_client_that_knows_the_issuer_finds_its_metadata() {
    let app = TestApp::start().await;
    let found = app.get(&app.local("/.well-known/oauth-authorization-server/api/v1")).await;
    assert_eq!(found.status, 200, "{}", found.text);
    assert_eq!(found.text, app.get("/.well-known/oauth-authorization-server").await.text);
    assert_eq!(found.json()["issuer"], app.url(""));
}

/// `OpenID` Connect Discovery requires an authorization endpoint, and there is none.
#[tokio::test]
async fn the_service_does_not_call_itself_an_openid_provider() {
    let app = TestApp::start().await;
    for path in ["/.well-known/openid-configuration", "/.well-known/openid-configuration/api/v1"] {
        assert_eq!(app.get(path).await.code(), "not_found", "{path}");
        assert_eq!(app.get(&app.local(path)).await.code(), "not_found", "{path}");
    }
}

async fn document(app: &TestApp) -> Value {
    let answer = both(app, "/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    answer.json()
}

#[tokio::test]
async fn the_openapi_document_has_every_route_and_nothing_else() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    assert!(text(&document["openapi"]).starts_with("3.1."), "{}", document["openapi"]);
    assert_eq!(document["servers"][0]["url"], BASE_PATH);
    assert_eq!(document["info"]["title"], "Example");

    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase())))
        .collect();
    // The page's own files are no operations of the API.
    let operations = routes().flat_map(|route| route.operations).filter(|operation| operation.document.is_some());
    let served: BTreeSet<(String, String)> =
        operations.map(|operation| (operation.path.to_owned(), operation.method.to_owned())).collect();
    assert_eq!(documented, served);
}

#[tokio::test]
async fn every_operation_documents_its_errors_credentials_and_examples() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let mut ids = BTreeSet::new();
    for route in routes() {
        for served in route.operations.iter().filter(|operation| operation.document.is_some()) {
            let (method, path) = (served.method, served.path);
            let operation = &document["paths"][path][method.to_lowercase()];
            let place = format!("{method} {path}");
            for field in ["operationId", "summary"] {
                assert!(operation[field].as_str().is_some_and(|text| !text.is_empty()), "{place} has no {field}");
            }
            assert!(ids.insert(text(&operation["operationId"])), "{place}: an id stands twice");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{place}");

            let mut expected: BTreeSet<u16> = [405, 500].into();
            expected.extend(route.all_errors(served).iter().map(|code| code.status().as_u16()));
            if operation.get("requestBody").is_some() {
                expected.extend([400, 413, 415]);
            }
            for status in expected {
                let response = &operation["responses"][status.to_string()];
                let content = &response["content"]["application/problem+json"];
                assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem", "{place} {status}");
                let examples = content["examples"].as_object().unwrap_or_else(|| panic!("{place} {status}"));
                for (code, example) in examples {
                    assert_eq!(example["value"]["code"], **code, "{place} {status}");
                    assert_eq!(example["value"]["status"], status, "{place} {status}");
                }
            }
            let signed_in = served.credentials() == Some("access_token");
            let security = operation["security"].as_array().cloned().unwrap_or_default();
            assert_eq!(security.iter().any(|scheme| scheme.get("access_token").is_some()), signed_in, "{place}");
        }
    }
    for scheme in ["access_token", "refresh_token"] {
        let scheme = &document["components"]["securitySchemes"][scheme];
        assert_eq!((&scheme["type"], &scheme["scheme"]), (&json!("http"), &json!("bearer")));
    }
}

/// Every `$ref` under a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_openapi_document_refers_only_to_what_it_holds() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.contains("#/components/schemas/Problem"));
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let codes = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
    let expected: Vec<Value> = shared::error::Code::ALL.iter().map(|code| json!(code)).collect();
    assert_eq!(*codes, expected);
}

#[tokio::test]
async fn what_the_document_shows_as_an_answer_is_what_is_answered() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let ada = app.signed_in("ada@example.com").await;
    let user = ada.get("/user").await.json();
    let documented = document["components"]["schemas"]["User"]["properties"].as_object().unwrap();
    for field in user.as_object().unwrap().keys() {
        assert!(documented.contains_key(field), "{field} is not documented");
    }
    let required = document["components"]["schemas"]["User"]["required"].as_array().unwrap();
    for field in required {
        assert!(user.get(field.as_str().unwrap()).is_some(), "{field} is not answered");
    }
    let problem = app.get("/user").await.json();
    let documented = document["components"]["schemas"]["Problem"]["properties"].as_object().unwrap();
    let fields: BTreeSet<_> = problem.as_object().unwrap().keys().collect();
    assert_eq!(fields, documented.keys().collect());
}

/// The values of an attribute in a page.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    html.split(&format!(" {name}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn the_page_of_the_documentation_needs_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    for base in [app.url("/apidocs"), app.local("/apidocs")] {
        let page = app.get(&base).await;
        assert_eq!(page.status, 200, "{base}");
        assert!(page.header("content-type").starts_with("text/html"), "{}", page.header("content-type"));
        let policy = page.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{part} is not in {policy}");
        }
        assert!(!page.text.contains("<script>"), "the policy would stop a script in the page");
        let links = [attributes(&page.text, "src"), attributes(&page.text, "href")].concat();
        assert_eq!(links.len(), 4, "{links:?}");
        for link in links {
            assert!(!link.contains("//") && !link.starts_with('/'), "{link} leads elsewhere");
            // Relative to the page, which has no slash at its end.
            let asset = app.get(&format!("{}/{link}", base.rsplit_once('/').unwrap().0)).await;
            assert_eq!(asset.status, 200, "{link}");
            assert_eq!(asset.header("x-content-type-options"), "nosniff");
            let content_type = asset.header("content-type");
            let kinds = [(".js", "javascript"), (".css", "text/css"), (".png", "image/png")];
            let (_, kind) = kinds.iter().find(|(ending, _)| link.ends_with(ending)).unwrap();
            assert!(content_type.contains(kind), "{link}: {content_type}");
        }
    }
    let start = app.get("/apidocs/start.js").await;
    assert!(start.text.contains(r#""/api/v1/openapi.json""#), "{}", start.text);
    assert!(!start.text.contains("http"), "{}", start.text);
}

#[tokio::test]
async fn assets_that_are_not_there_are_not_found_wherever_they_point() {
    let app = TestApp::start().await;
    for asset in ["nothing.js", "..%2f..%2fCargo.toml", "%00", "swagger-ui.css/x", "swagger-ui.css%20"] {
        let answer = app.get(&format!("/apidocs/{asset}")).await;
        assert_eq!(answer.code(), "not_found", "{asset}");
    }
}
