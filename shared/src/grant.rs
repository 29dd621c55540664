//! The AWS permissions of functions. A grant is declared next to the method that needs it; a route lists the grants of the methods
//! that it calls, and its role in `stacks/` is generated from them.

/// Actions on one kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub resource: Resource,
    /// IAM actions, as `dynamodb:GetItem`.
    pub actions: &'static [&'static str],
    /// For tables: the partitions that they reach, as patterns of `dynamodb:LeadingKeys`.
    pub partitions: &'static [&'static str],
}

/// The grants of one method.
pub type Grants = &'static [Grant];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Table,
    ListIndex,
    PendingIndex,
    KeysTable,
    UploadsBucket,
    UploadedObjects,
    PicturesBucket,
    PictureObjects,
    TransferBucket,
    /// Parts of files that are imported, and their reports.
    ImportedParts,
    EmailQueue,
    EventBus,
    WebhookQueue,
    /// The suppression list of SES, which the AWS account shares.
    SuppressionList,
    /// The user pool of Amazon Cognito that accounts were in before.
    LegacyUserPool,
    /// Emails of the sender that the stack is configured with.
    Sender,
}

impl Grant {
    const fn new(resource: Resource, actions: &'static [&'static str], partitions: &'static [&'static str]) -> Self {
        Self { resource, actions, partitions }
    }

    /// Actions on items of the main table.
    #[must_use]
    pub const fn table(actions: &'static [&'static str], partitions: &'static [&'static str]) -> Self {
        Self::new(Resource::Table, actions, partitions)
    }

    /// Actions on items of the table with the private keys.
    #[must_use]
    pub const fn keys_table(actions: &'static [&'static str], partitions: &'static [&'static str]) -> Self {
        Self::new(Resource::KeysTable, actions, partitions)
    }

    /// Queries of an index of the main table.
    #[must_use]
    pub const fn index(index: Resource, partitions: &'static [&'static str]) -> Self {
        Self::new(index, &[QUERY], partitions)
    }

    /// Actions on what has no partitions.
    #[must_use]
    pub const fn on(resource: Resource, actions: &'static [&'static str]) -> Self {
        Self::new(resource, actions, &[])
    }

    /// Whether it is about one of the two tables.
    #[must_use]
    pub const fn is_about_tables(&self) -> bool {
        use Resource::{KeysTable, ListIndex, PendingIndex, Table};
        matches!(self.resource, Table | ListIndex | PendingIndex | KeysTable)
    }
}

// A transaction needs the actions of its items; `TransactWriteItems` is none.
pub const GET: &str = "dynamodb:GetItem";
pub const GET_EACH: &str = "dynamodb:BatchGetItem";
pub const QUERY: &str = "dynamodb:Query";
pub const PUT: &str = "dynamodb:PutItem";
pub const UPDATE: &str = "dynamodb:UpdateItem";
pub const DELETE: &str = "dynamodb:DeleteItem";
pub const CHECK: &str = "dynamodb:ConditionCheckItem";
pub const WRITE_EACH: &str = "dynamodb:BatchWriteItem";

/// Partitions of accounts and of addresses.
pub const USERS: &str = "USER#*";
pub const ADDRESSES: &str = "EMAIL#*";
pub const CEREMONIES: &str = "CEREMONY#*";
pub const WEBHOOKS: &str = "WEBHOOKS";
/// Deliveries of webhooks, also in the index of what is pending.
pub const DELIVERIES: &str = "WEBHOOK#*";
/// Requests that came with an idempotency key.
pub const CALLERS: &str = "CALLER#*";
/// What staff did, by month.
pub const STAFF: &str = "STAFF#*";
pub const INVITATIONS: &str = "INVITATIONS";
/// That imported accounts were deleted.
pub const DELETED: &str = "DELETED#*";
/// How many accounts have a password of which kind.
pub const POPULATION: &str = "POPULATION";
/// What accounts are found by.
pub const FOUND_BY: &str = "FIND#*";

/// What is written in place of an account that is not created.
pub const NOBODY: &str = "NOBODY#*";

/// The grants of several methods as those of one.
#[macro_export]
macro_rules! grants {
    ($($grants:expr),* $(,)?) => {{
        const EACH: &[$crate::grant::Grants] = &[$($grants),*];
        const ALL: [$crate::grant::Grant; $crate::grant::count(EACH)] = $crate::grant::join(EACH);
        &ALL as $crate::grant::Grants
    }};
}

#[doc(hidden)]
#[must_use]
pub const fn count(each: &[Grants]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < each.len() {
        count += each[at].len();
        at += 1;
    }
    count
}

#[doc(hidden)]
#[must_use]
pub const fn join<const N: usize>(each: &[Grants]) -> [Grant; N] {
    let mut all = [Grant::table(&[], &[]); N];
    let (mut at, mut filled) = (0, 0);
    while at < each.len() {
        let mut one = 0;
        while one < each[at].len() {
            all[filled] = each[at][one];
            filled += 1;
            one += 1;
        }
        at += 1;
    }
    all
}
