//! The policy of a role, from the grants of what its function calls.

use std::collections::{BTreeMap, BTreeSet};

use shared::domain::limit::Limit;
use shared::grant::{Grant, Resource, UPDATE};

use crate::output::camel_case;

type Actions = BTreeSet<&'static str>;
type Partitions = BTreeSet<String>;

/// A policy's statements, one for each resource and set of partitions.
pub struct Policy {
    /// Which partitions each action reaches. An action that two methods need is one entry with the partitions of both: DynamoDB
    /// compares all partitions of a request with one statement.
    reach: BTreeMap<(Resource, &'static str), Partitions>,
}

impl Policy {
    pub fn new(grants: impl Iterator<Item = &'static Grant>, limit: Option<Limit>) -> Self {
        let mut reach: BTreeMap<_, Partitions> = BTreeMap::new();
        for Grant { resource, actions, partitions } in grants {
            for action in *actions {
                let reached = reach.entry((*resource, *action)).or_default();
                reached.extend(partitions.iter().map(|partition| (*partition).to_owned()));
            }
        }
        if let Some(limit) = limit {
            // What counts the requests of the route's own limit, and of no other.
            reach.entry((Resource::Table, UPDATE)).or_default().insert(format!("LIMIT#{limit}#*"));
        }
        Self { reach }
    }

    pub fn is_empty(&self) -> bool {
        self.reach.is_empty()
    }

    pub fn has(&self, resource: Resource) -> bool {
        self.reach.keys().any(|(reached, _)| *reached == resource)
    }

    /// YAML of a list of statements, indented by `indent` spaces.
    pub fn statements(&self, indent: usize) -> String {
        let mut grouped: BTreeMap<(Resource, &Partitions), Actions> = BTreeMap::new();
        for ((resource, action), partitions) in &self.reach {
            grouped.entry((*resource, partitions)).or_default().insert(action);
        }
        let statements =
            grouped.iter().map(|((resource, partitions), actions)| statement(*resource, partitions, actions));
        let decrypt = self.has(Resource::KeysTable).then(|| DECRYPT_KEYS_TABLE.to_owned());
        let indented = |line: &str| format!("{:indent$}{line}\n", "");
        statements.chain(decrypt).flat_map(|text| text.lines().map(indented).collect::<Vec<_>>()).collect()
    }
}

fn statement(resource: Resource, partitions: &Partitions, actions: &Actions) -> String {
    let sid: String = partitions.iter().map(|partition| camel_case(partition.trim_end_matches('*'))).collect();
    let actions: Vec<_> = actions.iter().copied().collect();
    let mut text = format!("- Sid: {}{sid}\n  Effect: Allow\n  Action: [{}]\n", name(resource), actions.join(", "));
    text += &format!("  Resource: {}\n", arn(resource));
    if resource == Resource::Sender {
        text += "  Condition: {StringEquals: {\"ses:FromAddress\": !Ref MailAddress}}\n";
    }
    if !partitions.is_empty() {
        let quoted: Vec<_> = partitions.iter().map(|partition| format!("\"{partition}\"")).collect();
        let keys = quoted.join(", ");
        text += &format!("  Condition: {{\"ForAllValues:StringLike\": {{\"dynamodb:LeadingKeys\": [{keys}]}}}}\n");
    }
    text
}

/// What a statement about it is called.
const fn name(resource: Resource) -> &'static str {
    match resource {
        Resource::Table => "Table",
        Resource::ListIndex => "ListIndex",
        Resource::PendingIndex => "PendingIndex",
        Resource::KeysTable => "KeysTable",
        Resource::UploadsBucket => "UploadsBucket",
        Resource::UploadedObjects => "UploadedObjects",
        Resource::PicturesBucket => "PicturesBucket",
        Resource::PictureObjects => "PictureObjects",
        Resource::TransferBucket => "TransferBucket",
        Resource::ImportedParts => "ImportedParts",
        Resource::EmailQueue => "EmailQueue",
        Resource::EventBus => "EventBus",
        Resource::WebhookQueue => "WebhookQueue",
        Resource::SuppressionList => "SuppressionList",
        Resource::LegacyUserPool => "LegacyUserPool",
        Resource::Sender => "Sender",
    }
}

/// ARNs are made from names, so that a stack needs one parameter for a resource and not two.
const fn arn(resource: Resource) -> &'static str {
    match resource {
        Resource::Table => {
            "!Sub \"arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}\""
        }
        Resource::ListIndex => {
            "!Sub \"arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}/index/list\""
        }
        Resource::PendingIndex => {
            "!Sub \"arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}/index/pending\""
        }
        Resource::KeysTable => {
            "!Sub \"arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${KeysTableName}\""
        }
        Resource::UploadsBucket => "!Sub \"arn:${AWS::Partition}:s3:::${UploadsBucket}\"",
        // Keys begin with the id of any user.
        Resource::UploadedObjects => "!Sub \"arn:${AWS::Partition}:s3:::${UploadsBucket}/*\"",
        Resource::PicturesBucket => "!Sub \"arn:${AWS::Partition}:s3:::${PicturesBucket}\"",
        Resource::PictureObjects => "!Sub \"arn:${AWS::Partition}:s3:::${PicturesBucket}/*\"",
        Resource::TransferBucket => "!Sub \"arn:${AWS::Partition}:s3:::${TransferBucket}\"",
        Resource::ImportedParts => "!Sub \"arn:${AWS::Partition}:s3:::${TransferBucket}/imports/*\"",
        Resource::EmailQueue => "!Ref MailQueueArn",
        Resource::WebhookQueue => "!Ref WebhookQueueArn",
        // The action knows no resources.
        Resource::SuppressionList => "\"*\"",
        Resource::EventBus => {
            "!Sub \"arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBus}\""
        }
        // Of a stack without one it is the ARN of nothing.
        Resource::LegacyUserPool => {
            "!Sub \"arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/${LegacyUserPool}\""
        }
        // In the sandbox SES asks for the recipient's identity, too, so the sender is pinned by a condition.
        Resource::Sender => {
            "[!Sub \"arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/${SesConfigurationSet}\", \
             !Sub \"arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*\"]"
        }
    }
}

const DECRYPT_KEYS_TABLE: &str = "\
- Sid: DecryptKeysTable
  Effect: Allow
  Action: [kms:Decrypt, kms:DescribeKey]
  Resource: !Ref KeysTableKeyArn
  Condition: {StringEquals: {\"kms:ViaService\": !Sub \"dynamodb.${AWS::Region}.${AWS::URLSuffix}\"}}
";
