//! An event for every route that has none yet, to be filled in: `events/NAME.json`, for `sam local invoke` and the tests.

use functions::routes;
use serde_json::json;

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
        if ["POST", "PUT", "PATCH"].contains(&operation.method) {
            headers["content-type"] = json!("application/json");
            headers["content-length"] = json!("2");
            event["body"] = json!("{}");
        }
        event["headers"] = headers;
        let text = serde_json::to_string_pretty(&event).map_err(|error| error.to_string())?;
        output.file(path, text + "\n");
    }
    Ok(())
}

/// Of the form of one; no service takes it.
const ACCESS_TOKEN: &str =
    "Bearer eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImV4YW1wbGUifQ.eyJzdWIiOiJleGFtcGxlIn0.ZXhhbXBsZQ";
