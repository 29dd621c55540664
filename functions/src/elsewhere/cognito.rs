//! Asks an Amazon Cognito user pool to verify a password, with `AdminInitiateAuth` under the function's own role
//! (<https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminInitiateAuth.html>). The app client needs
//! the flow `ALLOW_ADMIN_USER_PASSWORD_AUTH` and no secret.
//!
//! It is a single call, signed by the SDK's signer: the SDK's client for Cognito has more than a hundred operations, which every
//! sign-in function would contain.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::http::Request;
use serde::Deserialize;
use serde_json::json;
use shared::clock::Timestamp;
use shared::domain::password::Password;
use shared::grant::{Grant, Grants, Resource};
use shared::{App, Error, Result};

use super::Answer;

pub const ASK: Grants = &[Grant::on(Resource::LegacyUserPool, &["cognito-idp:AdminInitiateAuth"])];

/// Cognito responds within a second; a sign-in waits no longer than for a slow hash.
const TIMEOUT: Duration = Duration::from_secs(5);
const TARGET: &str = "AWSCognitoIdentityProviderService.AdminInitiateAuth";

/// What Cognito asks for next once the password was right. Others, as one of a trigger's own, may come before the password; and a
/// password that an administrator gave out once has to be replaced, which is what the emailed link is for.
const AFTER_THE_PASSWORD: [&str; 6] =
    ["SMS_MFA", "EMAIL_OTP", "SOFTWARE_TOKEN_MFA", "SELECT_MFA_TYPE", "MFA_SETUP", "DEVICE_SRP_AUTH"];

/// Exceptions that say something of this user or this password; the last two are of triggers of the pool.
const REFUSALS: [&str; 6] = [
    "NotAuthorizedException",
    "UserNotFoundException",
    "UserNotConfirmedException",
    "PasswordResetRequiredException",
    "UserLambdaValidationException",
    "UnexpectedLambdaException",
];

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Output {
    challenge_name: Option<String>,
    authentication_result: Option<serde::de::IgnoredAny>,
    #[serde(rename = "__type")]
    exception: Option<String>,
}

/// # Errors
/// [`Error::TemporarilyUnavailable`] when Cognito does not answer in time, or answers neither yes nor no.
pub async fn ask(app: &App, pool: &str, client: &str, username: &str, password: &Password) -> Result<Answer> {
    let body = json!({
        "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "UserPoolId": pool,
        "ClientId": client,
        "AuthParameters": { "USERNAME": username, "PASSWORD": password.typed() },
    });
    let request = signed(app, pool, body.to_string(), app.clock.now())?;
    let answer = app.send(request, TIMEOUT).await?;
    said(answer.status().as_u16(), answer.body()).ok_or_else(|| {
        let output: Output = serde_json::from_slice(answer.body()).unwrap_or_default();
        let status = answer.status();
        Error::TemporarilyUnavailable(format!("Cognito responded with {status}, {:?}", output.exception).into())
    })
}

/// What an answer says of the password; `None` when that is nothing.
fn said(status: u16, body: &[u8]) -> Option<Answer> {
    let output: Output = serde_json::from_slice(body).ok()?;
    if status == 200 {
        let challenged = |name: &String| AFTER_THE_PASSWORD.contains(&name.as_str());
        let right = output.authentication_result.is_some() || output.challenge_name.as_ref().is_some_and(challenged);
        return Some(if right { Answer::Right } else { Answer::Wrong });
    }
    // The name may come with a namespace.
    let exception = output.exception?;
    let name = exception.rsplit('#').next().unwrap_or(&exception);
    REFUSALS.contains(&name).then_some(Answer::Wrong)
}

fn signed(app: &App, pool: &str, body: String, now: Timestamp) -> Result<Request<String>> {
    let aws = &app.config.aws;
    let region = pool.split_once('_').map_or(aws.region.as_str(), |(region, _)| region);
    let url = match &aws.endpoints.cognito {
        Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
        None => format!("https://cognito-idp.{region}.amazonaws.com/"),
    };
    let mut request = Request::post(&url)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", TARGET)
        .body(body)
        .map_err(Error::internal)?;
    let identity = aws.credentials().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("cognito-idp")
        .time(UNIX_EPOCH + now.since(Timestamp::from_millis(0)))
        .settings(SigningSettings::default())
        .build()
        .map_err(Error::internal)?
        .into();
    let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new("POST", &url, headers, SignableBody::Bytes(request.body().as_bytes()))
        .map_err(Error::internal)?;
    let (signature, _) = sign(signable, &params).map_err(Error::internal)?.into_parts();
    signature.apply_to_request_http1x(&mut request);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_after_the_password_says_that_it_was_right() {
        use Answer::{Right, Wrong};
        for (status, body, answer) in [
            (200, json!({ "AuthenticationResult": { "AccessToken": "x" }, "ChallengeParameters": {} }), Some(Right)),
            (200, json!({ "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "x" }), Some(Right)),
            (200, json!({ "ChallengeName": "MFA_SETUP" }), Some(Right)),
            (200, json!({ "ChallengeName": "NEW_PASSWORD_REQUIRED" }), Some(Wrong)),
            (200, json!({ "ChallengeName": "CUSTOM_CHALLENGE" }), Some(Wrong)),
            (200, json!({}), Some(Wrong)),
            (
                400,
                json!({ "__type": "NotAuthorizedException", "message": "Incorrect username or password." }),
                Some(Wrong),
            ),
            (400, json!({ "__type": "com.amazonaws.cognito#UserNotFoundException" }), Some(Wrong)),
            (400, json!({ "__type": "TooManyRequestsException" }), None),
            (400, json!({ "__type": "ResourceNotFoundException" }), None),
            (400, json!({ "__type": "InvalidParameterException" }), None),
            (500, json!({ "__type": "InternalErrorException" }), None),
            (503, json!("busy"), None),
        ] {
            assert_eq!(said(status, body.to_string().as_bytes()), answer, "{status} {body}");
        }
        assert_eq!(said(200, b"<html>"), None);
    }
}
