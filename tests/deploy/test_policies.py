"""Every policy of the expanded template, role or resource, against what it may allow at most."""

from collections import namedtuple

import pytest
import stack

everywhere = pytest.mark.parametrize("environment", sorted(stack.environments()))

# What is broader than one action on one resource, by policy, statement and value, and why.
IN_ONES_OWN_POLICY = "in a policy of a resource, * is that resource"
ANY_USER = "keys begin with the id of a user, and a function serves them all"
UPLOADED_OBJECTS = "arn:${AWS::Partition}:s3:::${UploadsBucket}/*"
PICTURE_OBJECTS = "arn:${AWS::Partition}:s3:::${PicturesBucket}/*"
FAILED_EVENTS = "${FailedEventsBucketArn}/*"
IMPORTED_PARTS = "arn:${AWS::Partition}:s3:::${TransferBucket}/imports/*"
EXPORTS = "${TransferBucket.Arn}/exports/*"
BROAD = {
    ("EveryFunction", "Trace", "*"): "X-Ray knows no resources",
    (
        "EveryFunction",
        "Log",
        "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/${AWS::StackName}/*",
    ): "the log groups of this stack's functions",
    ("DeployRole", "WatchAlarms", "*"): "cloudwatch:DescribeAlarms knows no resources",
    (
        "DeployRole",
        "MoveAliases",
        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-*",
    ): "the functions of this stack; naming them would make a circle",
    (
        "EmailerRole",
        "Sender",
        "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*",
    ): "in the sandbox SES asks for the recipient's identity too; the sender is pinned by a condition",
    ("ClearEmailSuppressionRole", "SuppressionList", "*"): "ses:DeleteSuppressedDestination knows no resources",
    ("PublishEventsRole", "ListStreams", "*"): "dynamodb:ListStreams knows no resources",
    ("DispatchWebhooksRole", "ListStreams", "*"): "dynamodb:ListStreams knows no resources",
    ("PublishEventsRole", "KeepFailedEvents", FAILED_EVENTS): "objects are named by Lambda",
    ("DispatchWebhooksRole", "KeepFailedEvents", FAILED_EVENTS): "objects are named by Lambda",
    ("UploadPictureRole", "UploadedObjects", UPLOADED_OBJECTS): ANY_USER,
    ("DeletePictureRole", "PictureObjects", PICTURE_OBJECTS): ANY_USER,
    ("DeleteUserRole", "UploadedObjects", UPLOADED_OBJECTS): ANY_USER,
    ("DeleteUserRole", "PictureObjects", PICTURE_OBJECTS): ANY_USER,
    ("RemoveUserRole", "UploadedObjects", UPLOADED_OBJECTS): ANY_USER,
    ("RemoveUserRole", "PictureObjects", PICTURE_OBJECTS): ANY_USER,
    ("SweeperRole", "UploadedObjects", UPLOADED_OBJECTS): ANY_USER,
    ("SweeperRole", "PictureObjects", PICTURE_OBJECTS): ANY_USER,
    ("ResizePictureRole", "UploadedObjects", UPLOADED_OBJECTS): ANY_USER,
    ("ResizePictureRole", "PictureObjects", PICTURE_OBJECTS): ANY_USER,
    ("ImportUsersRole", "ImportedParts", IMPORTED_PARTS): "parts of any import",
    ("ImportOperator", "PutParts", "${TransferBucket.Arn}/imports/*"): "the command names an import when it begins",
    ("ImportOperator", "ReadReports", "${TransferBucket.Arn}/imports/*.report.jsonl"): "likewise; parts themselves are left out",
    ("ExportOperator", "FollowExport", "${Table.Arn}/export/*"): "DynamoDB names an export when it begins",
    ("ExportOperator", "WriteExport", EXPORTS): "the command names an export when it begins, DynamoDB its files",
    ("ExportOperator", "ReadAndDeleteExport", EXPORTS): "likewise",
    ("PicturesBucketPolicy", "ServePictures", "${PicturesBucket.Arn}/*"): "pictures are public by their address",
    ("LogStreamPolicy", "PutObjects", "${LogsBucket.Arn}/*"): "the bucket holds nothing but what Firehose writes",
    ("LogStreamPolicy", "WriteIndex", "${SearchDomain.Arn}/*"): "bulk requests name their indexes in the body",
    ("LogStreamPolicy", "LookAtIndex", "${SearchDomain.Arn}/_nodes/*/stats"): "nodes are named by the service",
    ("LogStreamPolicy", "LookAtIndex", "${SearchDomain.Arn}/logs*/_mapping"): "indexes are named by the day",
    ("LogStreamPolicy", "LookAtIndex", "${SearchDomain.Arn}/logs*/_stats"): "indexes are named by the day",
    ("TableKey", "GovernedByIam", "kms:*"): "leaves it to IAM who may use the key, as AWS advises",
    ("TableKey", "GovernedByIam", "*"): IN_ONES_OWN_POLICY,
    ("KeysTableKey", "GovernedByIam", "kms:*"): "leaves it to IAM who may use the key, as AWS advises",
    ("KeysTableKey", "GovernedByIam", "*"): IN_ONES_OWN_POLICY,
    ("AlarmKey", "GovernedByIam", "kms:*"): "leaves it to IAM who may use the key, as AWS advises",
    ("AlarmKey", "GovernedByIam", "*"): IN_ONES_OWN_POLICY,
    ("AlarmKey", "EncryptAlarms", "*"): IN_ONES_OWN_POLICY,
}

# Services that a statement lets in without saying for whom they have to act, and why.
FOR_ANYBODY = {
    ("AlarmKey", "EncryptAlarms"): "the topic says whose alarms it takes; a key alone gives nothing away",
    ("EmailEventsQueuePolicy", "TakeReports"): "the rule's ARN names the account",
}

# Who touches private keys: which action on which partition, and why.
PRIVATE_KEYS = {
    ("LoginRole", "Query", "SIGNING"): "signs access tokens",
    ("LoginRole", "PutItem", "SIGNING"): "may come before the sweeper has made the first key",
    ("LoginRole", "GetItem", "MAC#refresh"): "makes refresh tokens",
    ("LoginRole", "PutItem", "MAC#refresh"): "the first sign-in makes it",
    ("VerifyLoginRole", "Query", "SIGNING"): "signs access tokens",
    ("VerifyLoginRole", "GetItem", "MAC#refresh"): "checks challenges, makes refresh tokens",
    ("VerifyLoginRole", "PutItem", "MAC#refresh"): "makes it anew where an operator deleted it",
    ("VerifyLoginRole", "GetItem", "SEAL#totp"): "opens the secrets of authenticator apps",
    ("StartTotpRole", "GetItem", "SEAL#totp"): "seals the secrets of authenticator apps",
    ("StartTotpRole", "PutItem", "SEAL#totp"): "the first enrolment makes it",
    ("ConfirmTotpRole", "GetItem", "SEAL#totp"): "opens the secrets of authenticator apps",
    ("DeleteTotpRole", "GetItem", "SEAL#totp"): "opens the secrets of authenticator apps",
    ("RenewRecoveryCodesRole", "GetItem", "SEAL#totp"): "opens the secrets of authenticator apps",
    ("StepUpRole", "GetItem", "SEAL#totp"): "opens the secrets of authenticator apps",
    ("StepUpRole", "Query", "SIGNING"): "signs requests to an old system's endpoint",
    ("ChangePasswordRole", "Query", "SIGNING"): "signs requests to an old system's endpoint",
    ("PasskeyLoginRole", "Query", "SIGNING"): "signs access tokens",
    ("PasskeyLoginRole", "GetItem", "MAC#refresh"): "makes refresh tokens and device tokens",
    ("PasskeyLoginRole", "PutItem", "MAC#refresh"): "makes it anew where an operator deleted it",
    ("StartPasskeyRole", "GetItem", "SEAL#totp"): "opens the secrets of authenticator apps, to see a second factor proved",
    ("DeletePasskeyRole", "GetItem", "SEAL#totp"): "opens the secrets of authenticator apps, to see a second factor proved",
    ("ResetPasswordRole", "GetItem", "MAC#refresh"): "makes device tokens",
    ("ResetPasswordRole", "PutItem", "MAC#refresh"): "the first reset may come before any sign-in",
    ("RefreshRole", "Query", "SIGNING"): "signs access tokens",
    ("RefreshRole", "GetItem", "MAC#refresh"): "checks and makes refresh tokens",
    ("RefreshRole", "PutItem", "MAC#refresh"): "makes it anew where an operator deleted it",
    ("ImportUsersRole", "GetItem", "MAC#import"): "makes ids of accounts from those of the other system",
    ("ImportUsersRole", "PutItem", "MAC#import"): "the first import makes it",
    ("ImportUsersRole", "GetItem", "SEAL#totp"): "seals the secrets of authenticator apps",
    ("ImportUsersRole", "PutItem", "SEAL#totp"): "an import may come before the first enrolment",
    ("ExportOperator", "GetItem", "SEAL#totp"): "opens the secrets of authenticator apps, for the file",
    ("ListUsersRole", "GetItem", "MAC#cursor"): "signs and checks cursors",
    ("ListUsersRole", "PutItem", "MAC#cursor"): "the first list makes it",
    ("ListActivityRole", "GetItem", "MAC#cursor"): "signs and checks cursors",
    ("ListActivityRole", "PutItem", "MAC#cursor"): "the first list makes it",
    ("ListUserActivityRole", "GetItem", "MAC#cursor"): "signs and checks cursors",
    ("ListUserActivityRole", "PutItem", "MAC#cursor"): "the first list makes it",
    ("ListStaffActivityRole", "GetItem", "MAC#cursor"): "signs and checks cursors",
    ("ListStaffActivityRole", "PutItem", "MAC#cursor"): "the first list makes it",
    ("ListInvitationsRole", "GetItem", "MAC#cursor"): "signs and checks cursors",
    ("ListInvitationsRole", "PutItem", "MAC#cursor"): "the first list makes it",
    ("ImpersonateUserRole", "Query", "SIGNING"): "signs access tokens",
    ("ListDeliveriesRole", "GetItem", "MAC#cursor"): "signs and checks cursors",
    ("ListDeliveriesRole", "PutItem", "MAC#cursor"): "the first list makes it",
    ("CreateWebhookRole", "GetItem", "SEAL#webhooks"): "seals the secrets of webhooks",
    ("CreateWebhookRole", "PutItem", "SEAL#webhooks"): "the first webhook makes it",
    ("RotateWebhookSecretRole", "GetItem", "SEAL#webhooks"): "seals the secrets of webhooks",
    ("RotateWebhookSecretRole", "PutItem", "SEAL#webhooks"): "makes it anew where an operator deleted it",
    ("DeliverWebhooksRole", "GetItem", "SEAL#webhooks"): "opens the secrets of webhooks",
    ("SweeperRole", "Query", "SIGNING"): "sees which keys are due",
    ("SweeperRole", "PutItem", "SIGNING"): "makes keys",
    ("SweeperRole", "DeleteItem", "SIGNING"): "withdraws keys",
}

# DynamoDB actions that name a partition key, so that dynamodb:LeadingKeys narrows them. Of those that do not, as Scan,
# a condition on ForAllValues would hold.
KEYED = {"BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"}
# Who has the whole of a table, by the action, and why.
WHOLE_TABLE = {
    ("ExportOperator", "DescribeTable"): "an export is asked for by the table's ARN",
    ("ExportOperator", "ExportTableToPointInTime"): "that is what it is for; each time it notifies the alarms",
    ("ExportOperator", "DescribeExport"): "says when an export is complete",
}

Statement = namedtuple("Statement", "policy sid effect actions resources principal condition raw trust")


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(environment):
    for name, resource in stack.resources(environment).items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::IAM::Role":
                yield from read(name, properties["AssumeRolePolicyDocument"], trust=True)
                for policy in properties.get("Policies", []):
                    yield from read(name, policy["PolicyDocument"])
            case "AWS::KMS::Key":
                yield from read(name, properties["KeyPolicy"])
            case _ if "PolicyDocument" in properties:
                yield from read(name, properties["PolicyDocument"])


def read(policy, document, trust=False):
    for raw in as_list(document["Statement"]):
        yield Statement(
            policy=policy,
            sid=raw.get("Sid", ""),
            effect=raw["Effect"],
            actions=as_list(raw.get("Action", [])),
            resources=[stack.words(one) for one in as_list(raw.get("Resource", []))],
            principal=raw.get("Principal", {}),
            condition=raw.get("Condition", {}),
            raw=raw,
            trust=trust,
        )


def allowed(environment):
    return [statement for statement in statements(environment) if statement.effect == "Allow"]


def services(statement):
    return as_list(statement.principal.get("Service", [])) if isinstance(statement.principal, dict) else []


# What reads a stream, which has no keys.
STREAMS = {"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"}


def table_statements(environment):
    for statement in allowed(environment):
        actions = {action.removeprefix("dynamodb:") for action in statement.actions if action.startswith("dynamodb:")}
        if actions <= STREAMS:
            continue
        if actions:
            keys = statement.condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
            yield statement, actions, as_list(keys)


@everywhere
def test_no_statement_is_broader_than_a_written_reason_allows(environment):
    for statement in allowed(environment):
        for value in statement.actions + statement.resources:
            reason = BROAD.get((statement.policy, statement.sid, value))
            assert "*" not in value or reason, f"{statement.policy}, {statement.sid}: {value} is too broad"


def test_every_written_reason_is_still_needed():
    used = {
        (statement.policy, statement.sid, value)
        for environment in stack.environments()
        for statement in allowed(environment)
        for value in statement.actions + statement.resources
    }
    assert BROAD.keys() - used == set()
    named = {(statement.policy, statement.sid) for statement in allowed("everything")}
    assert FOR_ANYBODY.keys() - named == set()
    touched = {
        (statement.policy, action) for statement, actions, _ in table_statements("everything") for action in actions
    }
    assert WHOLE_TABLE.keys() - touched == set()


@everywhere
def test_a_statement_says_what_it_allows_and_not_what_it_leaves_out(environment):
    for statement in statements(environment):
        assert not {"NotAction", "NotPrincipal", "NotResource"} & statement.raw.keys(), statement
        assert statement.trust or statement.sid, f"{statement.policy} has a statement without a name"


@everywhere
def test_no_policy_allows_every_principal(environment):
    for statement in allowed(environment):
        who = statement.principal
        assert who != "*" and (not isinstance(who, dict) or "*" not in as_list(who.get("AWS", []))), statement


@everywhere
def test_a_service_is_let_in_only_on_behalf_of_this_account(environment):
    for statement in allowed(environment):
        if services(statement) and not statement.trust and (statement.policy, statement.sid) not in FOR_ANYBODY:
            tests = {key: value for tests in statement.condition.values() for key, value in tests.items()}
            # The ARN of a bucket names no account.
            arns = [stack.words(arn) for arn in as_list(tests.get("aws:SourceArn", []))]
            ours = arns and all(":${AWS::AccountId}:" in arn for arn in arns)
            assert "aws:SourceAccount" in tests or ours, f"{statement.policy}, {statement.sid}"
    for name, permission in stack.resources(environment, "AWS::Lambda::Permission").items():
        assert "SourceArn" in permission["Properties"], name


@everywhere
def test_no_role_has_a_policy_that_was_not_written_here(environment):
    ours = stack.resources(environment, "AWS::IAM::ManagedPolicy")
    roles = stack.resources(environment, "AWS::IAM::Role")
    for name, role in roles.items():
        for policy in role["Properties"].get("ManagedPolicyArns", []):
            assert isinstance(policy, dict) and policy.get("Ref") in ours, f"{name} has {policy}"
    for name, function in stack.resources(environment, "AWS::Lambda::Function").items():
        assert function["Properties"]["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}, f"{name} shares a role"


@everywhere
def test_a_table_is_touched_only_by_key_and_only_in_named_partitions(environment):
    for statement, actions, keys in table_statements(environment):
        where = f"{statement.policy}, {statement.sid}"
        actions = {action for action in actions if (statement.policy, action) not in WHOLE_TABLE}
        if not actions:
            continue
        assert actions <= KEYED, f"{where}: {actions - KEYED}"
        assert keys, f"{where} says no dynamodb:LeadingKeys"
        for key in keys:
            assert key.split("*")[0], f"{where}: {key} is any partition"


@everywhere
def test_the_stream_is_read_only_by_those_that_tell_of_events(environment):
    reading = {
        (statement.policy, resource)
        for statement in allowed(environment)
        if "dynamodb:GetRecords" in statement.actions
        for resource in statement.resources
    }
    assert {policy for policy, _ in reading} == {"DispatchWebhooksRole", "PublishEventsRole"}
    assert not any("*" in resource for _, resource in reading)


@everywhere
def test_private_keys_are_touched_only_by_those_who_need_them(environment):
    found = {
        (statement.policy, action, key)
        for statement, actions, keys in table_statements(environment)
        if any("${KeysTable" in resource for resource in statement.resources)
        for action in actions
        for key in keys
    }
    assert found == PRIVATE_KEYS.keys()
    decrypting = {
        statement.policy
        for statement in allowed(environment)
        if "kms:Decrypt" in statement.actions and "${KeysTableKey.Arn}" in statement.resources
    }
    assert decrypting == {role for role, _, _ in PRIVATE_KEYS}


@everywhere
def test_a_role_uses_a_key_only_through_dynamodb(environment):
    for statement in allowed(environment):
        if not statement.principal and any(action.startswith("kms:") for action in statement.actions):
            via = statement.condition.get("StringEquals", {}).get("kms:ViaService")
            assert via and stack.words(via).startswith("dynamodb."), f"{statement.policy}, {statement.sid}"


@everywhere
def test_email_is_sent_only_as_the_sender_of_this_stack(environment):
    senders = [statement for statement in allowed(environment) if "ses:SendEmail" in statement.actions]
    assert [statement.policy for statement in senders] == ["EmailerRole"]
    default = stack.source()["Parameters"]["MailAddress"]["Default"]
    address = stack.environments()[environment].get("MailAddress", default)
    assert senders[0].condition == {"StringEquals": {"ses:FromAddress": address}}


@everywhere
def test_buckets_queues_and_the_topic_take_tls_only(environment):
    refused = {
        statement.policy
        for statement in statements(environment)
        if statement.effect == "Deny"
        and statement.principal == "*"
        and statement.condition == {"Bool": {"aws:SecureTransport": "false"}}
    }
    protected = set()
    for kind, attribute in (("S3::Bucket", "Bucket"), ("SQS::Queue", "Queues"), ("SNS::Topic", "Topics")):
        for name, policy in stack.resources(environment, f"AWS::{kind}Policy").items():
            if name in refused:
                protected.update(stack.references(policy["Properties"][attribute]))
        for name in stack.resources(environment, f"AWS::{kind}"):
            assert name in protected, f"{name} takes requests in the clear"


def test_the_pipeline_may_pass_roles_to_those_services_that_have_one_here():
    oidc = stack.yaml_parse((stack.ROOT / "deploy/github-oidc.yaml").read_text())
    given = [
        raw
        for policy in oidc["Resources"]["Execution"]["Properties"]["Policies"]
        for raw in policy["PolicyDocument"]["Statement"]
        if raw["Effect"] == "Allow" and "iam:PassRole" in as_list(raw["Action"])
    ]
    (passed,) = (set(raw.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService", [])) for raw in given)
    needed = {service for one in allowed("everything") if one.trust for service in services(one)}
    # CloudFormation hands its own role on to nested stacks, whose routes are API Gateway's to call.
    assert needed <= passed <= needed | {"apigateway.amazonaws.com", "cloudformation.amazonaws.com"}
