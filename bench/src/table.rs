//! A DynamoDB of one's own, to be filled with more than HTTP could bring in: `dynoxide` on a file, served as the embedded
//! one is, with a door for items that goes past its API.

use std::net::Ipv4Addr;

use aws_sdk_dynamodb::types::AttributeValue as Sdk;
use dynoxide::{AttributeValue, Database, ImportOptions};
use shared::store::Item;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub struct Table {
    /// Where the SDK finds it.
    pub endpoint: String,
    database: Database,
    _folder: TempDir,
}

impl Table {
    pub async fn start() -> Self {
        let folder = TempDir::with_prefix("bench-").expect("a folder");
        let path = folder.path().join("dynamodb.sqlite");
        let database = Database::new(path.to_str().expect("a path in UTF-8")).expect("a database");
        database.enable_bulk_loading().expect("a database");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        Self { endpoint, database, _folder: folder }
    }

    /// Puts items in, indexes and all, in one transaction.
    pub async fn fill(&self, table: &str, items: Vec<Item>) {
        let (database, table) = (self.database.clone(), table.to_owned());
        let convert = |item: Item| item.into_iter().map(|(name, value)| (name, converted(value))).collect();
        let fill = move || {
            let items = items.into_iter().map(convert).collect();
            database.import_items(&table, items, ImportOptions::default()).expect("items that DynamoDB takes");
        };
        tokio::task::spawn_blocking(fill).await.expect("no panic");
    }
}

fn converted(value: Sdk) -> AttributeValue {
    match value {
        Sdk::S(text) => AttributeValue::S(text),
        Sdk::N(number) => AttributeValue::N(number),
        Sdk::Bool(truth) => AttributeValue::BOOL(truth),
        Sdk::L(list) => AttributeValue::L(list.into_iter().map(converted).collect()),
        Sdk::M(map) => AttributeValue::M(map.into_iter().map(|(name, value)| (name, converted(value))).collect()),
        Sdk::Null(truth) => AttributeValue::NULL(truth),
        other => panic!("{other:?}, which no item of this service has"),
    }
}
