//! All items of a table at one instant.

use dynoxide::Database;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::errors::DynoxideError;
use dynoxide::types::Item;
use time::OffsetDateTime;

use super::super::changes::Tables;
use super::refusal::Refusal;
use crate::machine;

/// `dynoxide` reads all items that are left for a page without a limit, and then gives 1 MB of them.
const PAGE: usize = 1000;

/// What an export says about its table.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) id: String,
    /// The names of the attributes of its key.
    pub(super) key: Vec<String>,
    /// By `DynamoDB`'s rules for the size of an item, in bytes.
    pub(super) size: i64,
}

pub(super) struct Snapshot {
    /// The names of the attributes of the table's key.
    pub(super) key: Vec<String>,
    pub(super) items: Vec<Item>,
}

impl Snapshot {
    /// Blocks until no request is under way, and all requests until it is done. Says when it begins what table it is of, or why
    /// there is none.
    ///
    /// It is consistent because no request can write between its pages: every request holds a shared lock while it uses the
    /// database, and this holds the same lock alone. So each transaction is in it as a whole or not at all, and so is every
    /// write that was answered before.
    pub(super) fn take(
        tables: &Tables,
        name: &str,
        begin: impl FnOnce(Result<(Table, OffsetDateTime), Refusal>),
    ) -> Result<Option<Self>, DynoxideError> {
        let (database, _alone) = tables.database_alone();
        let table = match describe(database, name) {
            Ok(table) => table,
            Err(error) => {
                begin(Err(Refusal::of_table(error, name)));
                return Ok(None);
            }
        };
        let key = table.key.clone();
        begin(Ok((table, machine::now())));
        Ok(Some(Self { key, items: scan(database, name)? }))
    }
}

fn describe(database: &Database, name: &str) -> Result<Table, DynoxideError> {
    let table = database.describe_table(DescribeTableRequest { table_name: name.to_owned() })?.table;
    Ok(Table {
        id: table.table_id.unwrap_or_default(),
        key: table.key_schema.into_iter().map(|element| element.attribute_name).collect(),
        size: table.table_size_bytes.unwrap_or_default(),
    })
}

fn scan(database: &Database, name: &str) -> Result<Vec<Item>, DynoxideError> {
    let mut items = Vec::new();
    let mut from = None;
    loop {
        let request = ScanRequest {
            table_name: name.to_owned(),
            limit: Some(PAGE),
            exclusive_start_key: from,
            consistent_read: Some(true),
            ..ScanRequest::default()
        };
        let page = database.scan(request)?;
        items.extend(page.items.unwrap_or_default());
        from = page.last_evaluated_key;
        if from.is_none() {
            return Ok(items);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::dynamodb;

    fn run(database: &Database, operation: &str, request: &Value) {
        dynamodb::run(database, operation, request.to_string().as_bytes()).unwrap();
    }

    #[test]
    fn a_snapshot_waits_for_requests_in_progress_and_includes_their_writes() {
        let tables = Arc::new(dynamodb::open(None).unwrap());
        let (database, under_way) = tables.database();
        let key = json!([{ "AttributeName": "pk", "KeyType": "HASH" }]);
        let attributes = json!([{ "AttributeName": "pk", "AttributeType": "S" }]);
        let table = json!({ "TableName": "users", "BillingMode": "PAY_PER_REQUEST", "KeySchema": key, "AttributeDefinitions": attributes });
        run(database, "CreateTable", &table);
        let (sender, taken) = mpsc::channel();
        let of = Arc::clone(&tables);
        thread::spawn(move || {
            let begin = |begun: Result<(Table, OffsetDateTime), Refusal>| {
                let (table, _) = begun.ok().unwrap();
                assert!(table.size > 0 && !table.id.is_empty());
            };
            sender.send(Snapshot::take(&of, "users", begin).unwrap().unwrap())
        });

        assert!(taken.recv_timeout(Duration::from_millis(50)).is_err());
        run(database, "PutItem", &json!({ "TableName": "users", "Item": { "pk": { "S": "1" } } }));
        drop(under_way);

        let snapshot = taken.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!((snapshot.items.len(), snapshot.key), (1, vec!["pk".to_owned()]));
    }
}
