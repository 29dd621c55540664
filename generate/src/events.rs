//! An event for every route that has none yet, to be filled in: `events/NAME.json`, for `sam local invoke` and the tests.

use functions::routes;
use serde_json::{Value, json};
use shared::http::Operation;

use crate::output::Output;

pub fn write(output: &mut Output) -> Result<(), String> {
    for route in routes() {
        let path = format!("events/{}.json", route.name);
        if output.exists(&path) {
            continue;
        }
        let operation = route.operations.last().ok_or("a route has no operation")?;
        let full_path = operation.full_paths().next().ok_or("an operation has no path")?;
        let key = format!("{} {full_path}", operation.method);
        let mut headers = json!({
            "accept": "application/json",
            "host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "user-agent": "curl/8.14.1",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        });
        if operation.credentials() == Some("access_token") {
            headers["authorization"] = json!(ACCESS_TOKEN);
        }
        let mut event = json!({
            "version": "2.0",
            "routeKey": key,
            "rawPath": full_path,
            "rawQueryString": "",
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "a1b2c3d4e5",
                "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
                "domainPrefix": "a1b2c3d4e5",
                "http": {
                    "method": operation.method,
                    "path": full_path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7",
                    "userAgent": "curl/8.14.1",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": key,
                "stage": "$default",
                "time": "23/Nov/2026:09:00:00 +0000",
                "timeEpoch": 1_795_424_400_000_u64,
            },
            "isBase64Encoded": false,
        });
        if let Some(body) = example_body(operation) {
            let body = body.to_string();
            headers["content-type"] = json!("application/json");
            headers["content-length"] = json!(body.len().to_string());
            event["body"] = json!(body);
        }
        event["headers"] = headers;
        let text = serde_json::to_string_pretty(&event).map_err(|error| error.to_string())?;
        output.file(path, text + "\n");
    }
    Ok(())
}

/// The examples of what the operation needs in its body, if it takes one in JSON.
fn example_body(operation: &Operation) -> Option<Value> {
    let document = serde_json::to_value((operation.document?)()).ok()?;
    let documented = &document["paths"][operation.path][operation.method.to_lowercase()];
    let schema = documented["requestBody"]["content"]["application/json"].get("schema")?;
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    let schema = name.map_or(schema, |name| &document["components"]["schemas"][name]);
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let examples = required.iter().filter_map(|field| Some((*field, schema["properties"][field].get("example")?)));
    Some(examples.map(|(field, example)| (field.to_owned(), example.clone())).collect::<serde_json::Map<_, _>>().into())
}

/// Of the form of one; no service takes it.
const ACCESS_TOKEN: &str =
    "Bearer eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImV4YW1wbGUifQ.eyJzdWIiOiJleGFtcGxlIn0.ZXhhbXBsZQ";
