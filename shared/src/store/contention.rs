//! What passes by itself: another transaction holds an item, or the table has too much to do at once.
//!
//! While a transaction is under way `DynamoDB` refuses every other write of its items
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>).
//! That takes milliseconds, so the write goes through a moment later; but the SDK by itself tries only throttled requests
//! again, not these.

use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::InterceptorContext;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_smithy_runtime_api::client::retries::classifiers::RetryClassifierPriority;
use aws_smithy_types::retry::ErrorKind;

const CONFLICT: &str = "TransactionConflictException";
const IN_PROGRESS: &str = "TransactionInProgressException";
/// Before a transaction that is still under way is asked for again. AWS wants one retry at least to come more than five seconds
/// after the first attempt (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>): of the
/// seven that the SDK makes the last is six seconds after it, also where no attempt ran out of time, and all come within the
/// nine of a call.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Has the SDK try again what was refused for a conflict, with its growing, random waits, so that those who collided part; and
/// late enough what it finds still under way after an answer was lost.
///
/// Nothing is done twice by it: what was refused has written nothing, so its conditions are looked at anew and what it adds
/// is added once. A transaction that was cancelled is not tried again here, but as a new one, in `Store::transact`.
#[derive(Debug)]
pub struct RetryConflicts;

impl ClassifyRetry for RetryConflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err).and_then(|error| error.as_operation_error());
        let Some(error) = error else {
            return RetryAction::NoActionIndicated;
        };
        let code = error
            .downcast_ref::<UpdateItemError>()
            .and_then(ProvideErrorMetadata::code)
            .or_else(|| error.downcast_ref::<PutItemError>()?.code())
            .or_else(|| error.downcast_ref::<DeleteItemError>()?.code())
            .or_else(|| error.downcast_ref::<TransactWriteItemsError>()?.code());
        // A "transient" error would have the SDK give up its connection as well.
        match code {
            Some(CONFLICT) => RetryAction::server_error(),
            Some(IN_PROGRESS) => RetryAction::retryable_error_with_explicit_delay(ErrorKind::ServerError, UNDER_WAY),
            _ => RetryAction::NoActionIndicated,
        }
    }

    /// After the SDK's own, which would put their waits in the place of ours.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }

    fn name(&self) -> &'static str {
        "transaction conflicts"
    }
}

/// Why a transaction was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancellation {
    /// A condition did not hold, whatever else there was.
    Condition,
    /// Nothing but conflicts with other transactions, and items that had too much to do.
    Passing,
}

impl Cancellation {
    /// `None` for errors that stay: trying again would meet them again.
    pub(super) fn of(error: &TransactWriteItemsError) -> Option<Self> {
        let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
            return None;
        };
        Self::by(cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()))
    }

    fn by<'a>(reasons: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut condition, mut passing, mut other) = (false, false, false);
        for reason in reasons {
            match reason {
                "None" => {}
                "ConditionalCheckFailed" => condition = true,
                "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded" => passing = true,
                _ => other = true,
            }
        }
        match () {
            () if condition => Some(Self::Condition),
            () if other => None,
            () if passing => Some(Self::Passing),
            () => None,
        }
    }
}

/// Whether a transaction may have been done although this came of it.
pub(super) fn may_be_done<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    matches!(error, SdkError::TimeoutError(_) | SdkError::ResponseError(_)) || error.code() == Some(IN_PROGRESS)
}

/// Whether a request that failed with this code, after the SDK's last attempt, may succeed a moment later.
pub(super) fn passes(code: Option<&str>) -> bool {
    let passing = [CONFLICT, "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"];
    code.is_some_and(|code| passing.contains(&code))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use aws_sdk_dynamodb::config::{
        AsyncSleep, BehaviorVersion, Credentials, Region, SharedAsyncSleep, SharedCredentialsProvider, Sleep,
        StalledStreamProtectionConfig,
    };
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use aws_types::SdkConfig;
    use serde_json::{Value, json};

    use super::*;
    use crate::app::{ATTEMPT, dynamodb};
    use crate::domain::event::ACTIVITY_LIFE;
    use crate::error::Error;
    use crate::store::{Item, OPERATION, Store, s};

    /// A `DynamoDB` that answers what it is told to, of which `None` is an answer that is lost; then it does everything.
    #[derive(Debug, Clone, Default)]
    struct Script {
        answers: Arc<Mutex<VecDeque<Option<Value>>>>,
        tokens: Arc<Mutex<Vec<String>>>,
        waits: Arc<Mutex<Vec<Duration>>>,
    }

    impl HttpConnector for Script {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            self.tokens.lock().unwrap().push(body["ClientRequestToken"].as_str().unwrap().to_owned());
            HttpConnectorFuture::ready(match self.answers.lock().unwrap().pop_front() {
                None => Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::from("{}"))),
                Some(Some(error)) => Ok(HttpResponse::new(400.try_into().unwrap(), SdkBody::from(error.to_string()))),
                Some(None) => Err(ConnectorError::timeout("the answer is lost".into())),
            })
        }
    }

    /// Waits take no time and are noted; what would run out of time never does.
    impl AsyncSleep for Script {
        fn sleep(&self, duration: Duration) -> Sleep {
            if duration >= ATTEMPT {
                return Sleep::new(std::future::pending());
            }
            self.waits.lock().unwrap().push(duration);
            Sleep::new(std::future::ready(()))
        }
    }

    impl Script {
        fn of(answers: impl IntoIterator<Item = Option<Value>>) -> Self {
            Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
        }

        async fn transact(&self) -> Result<bool, Error> {
            let connector = SharedHttpConnector::new(self.clone());
            let aws = SdkConfig::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .region(Region::new("eu-central-1"))
                .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                    "id", "secret", None, None, "test",
                )))
                .http_client(http_client_fn(move |_, _| connector.clone()))
                .sleep_impl(SharedAsyncSleep::new(self.clone()))
                .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                .endpoint_url("http://dynamodb.example.com")
                .build();
            let store = Store::new(dynamodb(&aws), "users".into(), ACTIVITY_LIFE);
            let item = store.put_new(Item::from([("pk".into(), s("USER#1")), ("sk".into(), s("PROFILE"))])).unwrap();
            store.transact(vec![item]).await
        }

        fn tokens(&self) -> Vec<String> {
            self.tokens.lock().unwrap().clone()
        }
    }

    fn in_progress() -> Value {
        json!({ "__type": "com.amazonaws.dynamodb.v20120810#TransactionInProgressException", "Message": "ongoing" })
    }

    fn cancelled(code: &str) -> Value {
        let reasons = json!([{ "Code": code, "Message": "ongoing" }]);
        let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        json!({ "__type": kind, "Message": "cancelled", "CancellationReasons": reasons })
    }

    #[tokio::test]
    async fn a_transaction_that_may_be_in_progress_is_retried_past_five_seconds() {
        // The first attempt fails at once, or by running out of its time.
        for first in [Duration::ZERO, ATTEMPT] {
            let script = Script::of([None].into_iter().chain((0..7).map(|_| Some(in_progress()))));
            let outcome = script.transact().await;
            assert!(matches!(outcome, Err(Error::OutcomeUnknown(_))), "{outcome:?}");
            let mut at = first;
            let starts: Vec<Duration> = script
                .waits
                .lock()
                .unwrap()
                .iter()
                .map(|wait| {
                    at += *wait;
                    at
                })
                .collect();
            let late = starts.iter().any(|start| (Duration::from_secs(5)..OPERATION).contains(start));
            assert!(late, "{starts:?}");
            let tokens = script.tokens();
            assert_eq!(tokens.len(), 8);
            assert!(tokens.iter().all(|token| *token == tokens[0]), "one transaction, however often it is sent");
        }
    }

    #[tokio::test]
    async fn a_transaction_whose_response_was_lost_is_applied_once() {
        let script = Script::of([None, Some(in_progress())]);
        assert!(script.transact().await.unwrap());
        let tokens = script.tokens();
        assert_eq!((tokens.len(), &tokens[0], &tokens[1]), (3, &tokens[1], &tokens[2]));
    }

    #[tokio::test]
    async fn a_cancelled_transaction_is_tried_again_as_a_new_one() {
        let script = Script::of([Some(cancelled("TransactionConflict")), Some(cancelled("ThrottlingError"))]);
        assert!(script.transact().await.unwrap());
        let tokens = script.tokens();
        assert_eq!(tokens.len(), 3);
        assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2] && tokens[0] != tokens[2], "{tokens:?}");
        let refused = Script::of([Some(cancelled("ConditionalCheckFailed"))]);
        assert!(!refused.transact().await.unwrap());
        assert_eq!(refused.tokens().len(), 1);
    }

    #[test]
    fn a_transaction_is_retried_only_if_every_cancellation_reason_is_transient() {
        let cases: [(&[&str], Option<Cancellation>); 8] = [
            (&["TransactionConflict", "None"], Some(Cancellation::Passing)),
            (&["None", "ThrottlingError"], Some(Cancellation::Passing)),
            (&["ProvisionedThroughputExceeded", "TransactionConflict"], Some(Cancellation::Passing)),
            (&["None", "ConditionalCheckFailed"], Some(Cancellation::Condition)),
            (&["TransactionConflict", "ConditionalCheckFailed"], Some(Cancellation::Condition)),
            (&["TransactionConflict", "ValidationError"], None),
            (&["ItemCollectionSizeLimitExceeded"], None),
            (&[], None),
        ];
        for (reasons, expected) in cases {
            assert_eq!(Cancellation::by(reasons.iter().copied()), expected, "{reasons:?}");
        }
    }
}
