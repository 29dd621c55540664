//! What passes by itself: another transaction holds an item, or the table has too much to do at once.
//!
//! While a transaction is under way `DynamoDB` refuses every other write of its items
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>).
//! That takes milliseconds, so the write goes through a moment later; but the SDK by itself tries only throttled requests
//! again, not these.

use aws_sdk_dynamodb::config::interceptors::InterceptorContext;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

const CONFLICT: &str = "TransactionConflictException";

/// Has the SDK try again what was refused for a conflict, with its growing, random waits, so that those who collided part.
///
/// Nothing is done twice by it: what was refused has written nothing, so its conditions are looked at anew and what it adds
/// is added once. A transaction keeps its `ClientRequestToken` meanwhile, by which `DynamoDB` knows one that it did although
/// the answer was lost.
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
            .or_else(|| error.downcast_ref::<DeleteItemError>()?.code());
        let cancelled = error.downcast_ref::<TransactWriteItemsError>().and_then(Cancellation::of);
        // A "transient" error would have the SDK give up its connection as well.
        match cancelled {
            Some(Cancellation::Conflict) => RetryAction::server_error(),
            Some(Cancellation::Throttled) => RetryAction::throttling_error(),
            _ if code == Some(CONFLICT) => RetryAction::server_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "conflicts between transactions"
    }
}

/// Why a transaction was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancellation {
    /// A condition did not hold, whatever else there was.
    Condition,
    /// Nothing but conflicts with other transactions, and items that had too much to do.
    Conflict,
    /// Nothing but items that had too much to do.
    Throttled,
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
        let (mut condition, mut conflict, mut throttled, mut other) = (false, false, false, false);
        for reason in reasons {
            match reason {
                "None" => {}
                "ConditionalCheckFailed" => condition = true,
                "TransactionConflict" => conflict = true,
                "ThrottlingError" | "ProvisionedThroughputExceeded" => throttled = true,
                _ => other = true,
            }
        }
        match () {
            () if condition => Some(Self::Condition),
            () if other => None,
            () if conflict => Some(Self::Conflict),
            () if throttled => Some(Self::Throttled),
            () => None,
        }
    }
}

/// Whether a request that failed with this code, after the SDK's last attempt, may succeed a moment later.
pub(super) fn passes(code: Option<&str>) -> bool {
    let passing = [
        CONFLICT,
        "TransactionInProgressException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    ];
    code.is_some_and(|code| passing.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_tried_again_only_if_all_that_was_in_its_way_passes() {
        let cases: [(&[&str], Option<Cancellation>); 8] = [
            (&["TransactionConflict", "None"], Some(Cancellation::Conflict)),
            (&["None", "ThrottlingError"], Some(Cancellation::Throttled)),
            (&["ProvisionedThroughputExceeded", "TransactionConflict"], Some(Cancellation::Conflict)),
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
