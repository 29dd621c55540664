//! Requests of a client network, counted by window.

use aws_sdk_dynamodb::types::ReturnValue;

use super::schema::limit_key;
use super::{Store, n, s};
use crate::domain::limit::{Limit, Window};
use crate::domain::network::ClientNetwork;
use crate::error::{Error, Result};

impl Store {
    /// Counts a request of this window and says which one it is. One atomic update, so that no two requests are the
    /// same one, whichever instances count them. The window is part of the key: nothing waits for TTL to forget.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn count_request(&self, limit: Limit, network: ClientNetwork, window: Window) -> Result<u32> {
        let (pk, sk) = limit_key(limit, network, window);
        let answer = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(sk))
            .update_expression("ADD #count :one SET #ttl = :ttl")
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":ttl", n(window.ends_at.seconds()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await?;
        let count = answer.attributes.as_ref().and_then(|item| item.get("count")?.as_n().ok()?.parse().ok());
        count.ok_or_else(|| Error::internal("DynamoDB returned no request count"))
    }
}
