//! Requests that came with an idempotency key, in the partition of whose key it is.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::schema::idempotency_key;
use super::{Store, from_item, if_condition_held, n, s, to_item, value};
use crate::clock::Timestamp;
use crate::domain::idempotency::{IdempotencyKey, IdempotentRequest, KeyOwner, Outcome};
use crate::error::Result;
use crate::grant::{CALLERS, DELETE, Grant, Grants, PUT, UPDATE};

/// What came of beginning a request.
#[derive(Debug)]
pub enum Begun {
    /// It is the first with its key, or the one before came to nothing.
    First,
    /// Another came first with the key.
    Known(IdempotentRequest),
}

impl Store {
    pub const IDEMPOTENCY: Grants = &[Grant::table(&[PUT, UPDATE, DELETE], &[CALLERS])];

    /// Notes a request under its key: of concurrent ones exactly one is the first.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_request(
        &self,
        owner: KeyOwner,
        key: &IdempotencyKey,
        request: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Begun> {
        let (pk, sk) = idempotency_key(owner, key);
        let mut item = to_item(pk, sk, request)?;
        item.insert("ttl".into(), n(request.expires_at.seconds()));
        let put = self
            .db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(
                "attribute_not_exists(pk) OR expires_at <= :now OR (attribute_not_exists(outcome) AND running_until <= :now)",
            )
            .expression_attribute_values(":now", n(now.millis()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = put else { return Ok(Begun::First) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let known: IdempotentRequest = from_item(failed.item().cloned().unwrap_or_default())?;
                // The answer to an attempt at this write was lost, and the SDK tried again.
                Ok(if known.attempt == request.attempt { Begun::First } else { Begun::Known(known) })
            }
            _ => Err(error.into()),
        }
    }

    /// Notes what came of a request.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn complete_request(
        &self,
        owner: KeyOwner,
        key: &IdempotencyKey,
        request: &IdempotentRequest,
        outcome: &Outcome,
    ) -> Result<()> {
        let (pk, sk) = idempotency_key(owner, key);
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(sk))
            .update_expression("SET outcome = :outcome")
            .condition_expression("attempt = :attempt")
            .expression_attribute_values(":outcome", value(outcome)?)
            .expression_attribute_values(":attempt", s(&request.attempt));
        if_condition_held(update.send().await).map(|_| ())
    }

    /// Forgets a request that came to nothing, so that the next with its key is the first.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn forget_request(
        &self,
        owner: KeyOwner,
        key: &IdempotencyKey,
        request: &IdempotentRequest,
    ) -> Result<()> {
        let (pk, sk) = idempotency_key(owner, key);
        let delete = self
            .db
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(sk))
            .condition_expression("attempt = :attempt")
            .expression_attribute_values(":attempt", s(&request.attempt));
        if_condition_held(delete.send().await).map(|_| ())
    }
}
