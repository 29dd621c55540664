//! Tables, queues and buckets, as the template makes them in AWS. What is there already stays.

use std::time::Duration;

use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription, TimeToLiveSpecification,
};
use aws_sdk_s3::operation::create_bucket::CreateBucketError;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;
use shared::App;

use crate::queues::{CONSUMED, Queue};

pub const TABLE: &str = "users";
pub const KEYS_TABLE: &str = "keys";
pub const UPLOADS: &str = "uploads";
pub const PICTURES: &str = "pictures";
/// Parts of imports, and exports of the table.
pub const TRANSFER: &str = "transfer";
/// The bus of the service's own events. Those of AWS are on `default`.
pub const EVENT_BUS: &str = "events";

/// After this many failed deliveries a message goes to the dead-letter queue.
const MAX_RECEIVE_COUNT: u32 = 5;

type Boxed = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ProvisionError(String);

impl From<Boxed> for ProvisionError {
    fn from(error: Boxed) -> Self {
        Self(shared::error::Causes(error.as_ref()).to_string())
    }
}

pub async fn provision(app: &App, visibility: Duration) -> Result<(), ProvisionError> {
    let db = app.dynamodb();
    create_table(db, TABLE, true).await?;
    create_table(db, KEYS_TABLE, false).await?;
    for bucket in [UPLOADS, PICTURES, TRANSFER] {
        create_bucket(app.s3(), bucket).await?;
    }
    for (queue, _, at_once, _) in CONSUMED {
        // What is being worked on is hidden from the others who poll.
        let visibility = if at_once > 1 { visibility.max(Duration::from_secs(15)) } else { visibility };
        create_queue(app.sqs(), queue, visibility).await?;
    }
    Ok(())
}

async fn create_table(db: &aws_sdk_dynamodb::Client, name: &str, main: bool) -> Result<(), Boxed> {
    let attribute = |name: &str, kind| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build();
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    let index = |name: &str, hash: &str, range: &str, projection: Projection| {
        GlobalSecondaryIndex::builder()
            .index_name(name)
            .key_schema(key(hash, KeyType::Hash)?)
            .key_schema(key(range, KeyType::Range)?)
            .projection(projection)
            .build()
    };
    let mut table = db
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S)?)
        .attribute_definitions(attribute("sk", ScalarAttributeType::S)?)
        .key_schema(key("pk", KeyType::Hash)?)
        .key_schema(key("sk", KeyType::Range)?);
    if main {
        // What lists show, and nothing else: no password hash is ever copied into the index.
        let listed = Projection::builder().projection_type(ProjectionType::Include).set_non_key_attributes(Some(
            [
                "id",
                "name",
                "email",
                "email_confirmed",
                "roles",
                "disabled",
                "external_id",
                "picture",
                "password_kind",
                "created_at",
                "updated_at",
            ]
            .map(Into::into)
            .into(),
        ));
        let all = Projection::builder().projection_type(ProjectionType::All);
        table = table
            .attribute_definitions(attribute("listed_in", ScalarAttributeType::S)?)
            .attribute_definitions(attribute("listed_as", ScalarAttributeType::S)?)
            .attribute_definitions(attribute("pending_shard", ScalarAttributeType::S)?)
            .attribute_definitions(attribute("pending_at", ScalarAttributeType::N)?)
            .global_secondary_indexes(index("list", "listed_in", "listed_as", listed.build())?)
            .global_secondary_indexes(index("pending", "pending_shard", "pending_at", all.build())?)
            .stream_specification(stream()?);
    }
    match table.send().await {
        Ok(_) => {}
        Err(error) if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => {
            return if main { take_over(db, name).await } else { Ok(()) };
        }
        Err(error) => return Err(error.into()),
    }
    if main {
        let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name("ttl").build()?;
        db.update_time_to_live().table_name(name).time_to_live_specification(ttl).send().await?;
    }
    Ok(())
}

fn stream() -> Result<StreamSpecification, Boxed> {
    let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewImage);
    Ok(stream.build()?)
}

/// Prepares the table of an earlier version, which may have no stream. One whose list has other keys cannot be used.
async fn take_over(db: &aws_sdk_dynamodb::Client, name: &str) -> Result<(), Boxed> {
    let described = db.describe_table().table_name(name).send().await?;
    let attributes = described.table().map(TableDescription::attribute_definitions).unwrap_or_default();
    if !attributes.iter().any(|attribute| attribute.attribute_name() == "listed_in") {
        return Err("the data was written by an earlier version that this version cannot read".into());
    }
    let stream_of_table = described.table().and_then(|table| table.stream_specification());
    if !stream_of_table.is_some_and(StreamSpecification::stream_enabled) {
        db.update_table().table_name(name).stream_specification(stream()?).send().await?;
    }
    Ok(())
}

async fn create_bucket(s3: &aws_sdk_s3::Client, name: &str) -> Result<(), Boxed> {
    match s3.create_bucket().bucket(name).send().await {
        Ok(_) => Ok(()),
        Err(error) => match error.as_service_error() {
            Some(CreateBucketError::BucketAlreadyOwnedByYou(_) | CreateBucketError::BucketAlreadyExists(_)) => Ok(()),
            _ => Err(error.into()),
        },
    }
}

async fn create_queue(sqs: &aws_sdk_sqs::Client, queue: Queue, visibility: Duration) -> Result<(), Boxed> {
    let dead = sqs.create_queue().queue_name(queue.dead_letters()).send().await?;
    let url = dead.queue_url().ok_or("the dead-letter queue has no URL")?;
    let attributes =
        sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn).send().await?;
    let arn = attributes.attributes().and_then(|attributes| attributes.get(&QueueAttributeName::QueueArn));
    let redrive = json!({ "deadLetterTargetArn": arn.ok_or("the dead-letter queue has no ARN")?, "maxReceiveCount": MAX_RECEIVE_COUNT });
    sqs.create_queue()
        .queue_name(queue.name())
        .attributes(QueueAttributeName::VisibilityTimeout, visibility.as_secs().to_string())
        .attributes(QueueAttributeName::RedrivePolicy, redrive.to_string())
        .send()
        .await?;
    Ok(())
}
