"""Rights: the functions did all of that with nothing but what their own roles allow."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .deployment import Deployment


def somebody(deployment: Deployment, name: str, service: str, statement: dict) -> Any:
    """A client of somebody who has the rights of one statement."""
    iam = deployment.client("iam")
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return deployment.emulator.client(service, key["AccessKeyId"], key["SecretAccessKey"])


def operator(deployment: Deployment, role: str) -> Callable[[str], Any]:
    """Makes clients that have the rights of one of the roles of operators. Its conditions on who is given
    the role are left out: the emulator knows no MFA."""
    iam, name = deployment.client("iam"), deployment.resources[role]
    [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    iam.create_user(UserName=role)
    iam.put_user_policy(UserName=role, PolicyName="rights", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=role)["AccessKey"]
    return lambda service: deployment.emulator.client(service, key["AccessKeyId"], key["SecretAccessKey"])


def refused(call: Callable[..., Any], **given: Any) -> None:
    with pytest.raises(ClientError, match="AccessDenied|not authorized"):
        call(**given)


def test_the_emulator_refuses_what_no_policy_allows(deployment: Deployment) -> None:
    dynamodb = somebody(deployment, "reader", "dynamodb", {"Action": "dynamodb:GetItem", "Resource": "*"})
    table = deployment.variable("TABLE_NAME")
    dynamodb.get_item(TableName=table, Key={"pk": {"S": "USER#1"}, "sk": {"S": "PROFILE"}})
    with pytest.raises(ClientError, match="AccessDenied"):
        dynamodb.scan(TableName=table)


def test_the_emulator_keeps_to_leading_keys(deployment: Deployment) -> None:
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["USER#*"]}}
    statement = {"Action": ["dynamodb:*"], "Resource": "*", "Condition": condition}
    dynamodb = somebody(deployment, "narrow", "dynamodb", statement)
    table = deployment.variable("TABLE_NAME")

    operations = [
        lambda key: dynamodb.get_item(TableName=table, Key=key),
        lambda key: dynamodb.batch_get_item(RequestItems={table: {"Keys": [key]}}),
        lambda key: dynamodb.query(
            TableName=table,
            KeyConditionExpression="#pk = :pk",
            ExpressionAttributeNames={"#pk": "pk"},
            ExpressionAttributeValues={":pk": key["pk"]},
        ),
        lambda key: dynamodb.put_item(TableName=table, Item=key),
        lambda key: dynamodb.transact_write_items(TransactItems=[{"Delete": {"TableName": table, "Key": key}}]),
    ]
    for operate in operations:
        operate({"pk": {"S": "USER#1"}, "sk": {"S": "PROBE"}})
        with pytest.raises(ClientError, match="AccessDenied"):
            operate({"pk": {"S": "EMAIL#1"}, "sk": {"S": "PROBE"}})


def test_the_emulator_hides_a_missing_object_from_those_who_may_not_list(deployment: Deployment) -> None:
    bucket = deployment.variable("UPLOADS_BUCKET")
    blind = somebody(deployment, "blind", "s3", {"Action": "s3:GetObject", "Resource": "*"})
    with pytest.raises(ClientError, match="AccessDenied"):
        blind.get_object(Bucket=bucket, Key="nothing")
    seeing = somebody(deployment, "seeing", "s3", {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"})
    with pytest.raises(ClientError, match="NoSuchKey"):
        seeing.get_object(Bucket=bucket, Key="nothing")


def test_an_import_operator_sends_parts_reads_reports_and_counts_accounts(deployment: Deployment) -> None:
    client = operator(deployment, "ImportOperator")
    s3, dynamodb, sqs = client("s3"), client("dynamodb"), client("sqs")
    bucket, table = deployment.variable("TRANSFER_BUCKET"), deployment.variable("TABLE_NAME")
    part = {"Bucket": bucket, "Key": "imports/rights/00000000.jsonl"}
    s3.put_object(**part, Body=b"")
    refused(s3.get_object, **part)
    refused(s3.put_object, Bucket=bucket, Key="exports/rights")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="imports/rights/00000001.report.jsonl")
    message = {"MessageBody": json.dumps({"import": "rights", "number": 0, "rows": []})}
    sqs.send_message(QueueUrl=deployment.variable("IMPORT_QUEUE_URL"), **message)
    refused(sqs.send_message, QueueUrl=deployment.variable("MAIL_QUEUE_URL"), **message)
    refused(dynamodb.get_item, TableName=table, Key={"pk": {"S": "USER#1"}, "sk": {"S": "PROFILE"}})


def test_an_export_operator_exports_the_table_and_reads_it_nowhere_else(deployment: Deployment) -> None:
    client = operator(deployment, "ExportOperator")
    s3, dynamodb = client("s3"), client("dynamodb")
    bucket, table = deployment.variable("TRANSFER_BUCKET"), deployment.variable("TABLE_NAME")
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    exported = dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket, S3Prefix="exports/rights")
    dynamodb.describe_export(ExportArn=exported["ExportDescription"]["ExportArn"])
    refused(dynamodb.scan, TableName=table)
    # No event: the functions behind the stream read those.
    event = {"sk": {"S": "RIGHTS"}}
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "STAFF#2026-11"}, **event})
    refused(dynamodb.put_item, TableName=table, Item={"pk": {"S": "USER#1"}, **event})
    keys, seal = deployment.variable("KEYS_TABLE_NAME"), {"pk": {"S": "SEAL#totp"}, "sk": {"S": "KEY"}}
    dynamodb.get_item(TableName=keys, Key=seal)
    refused(dynamodb.put_item, TableName=keys, Item=seal)
    refused(dynamodb.query, TableName=keys, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "SIGNING"}})
    s3.put_object(Bucket=bucket, Key="exports/rights/object", Body=b"")
    assert s3.list_objects_v2(Bucket=bucket, Prefix="exports/rights/")["KeyCount"] >= 1
    refused(s3.list_objects_v2, Bucket=bucket, Prefix="imports/")
    s3.delete_object(Bucket=bucket, Key="exports/rights/object")
    refused(s3.delete_object, Bucket=bucket, Key="imports/rights/00000000.jsonl")


def test_every_function_has_a_role_of_its_own(deployment: Deployment) -> None:
    roles = [deployment.configuration(binary)["Role"] for binary in deployment.functions]
    assert len(set(roles)) == len(roles)


def test_no_function_was_refused_anything(deployment: Deployment) -> None:
    for binary in deployment.functions:
        refused = [line for line in deployment.lines(binary) if "AccessDenied" in line or "not authorized" in line]
        assert not refused, f"{binary}: {refused[0]}"
