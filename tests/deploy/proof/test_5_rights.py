"""Rights: the functions did all of that with nothing but what their own roles allow."""

import json
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


def test_every_function_has_a_role_of_its_own(deployment: Deployment) -> None:
    roles = [deployment.configuration(binary)["Role"] for binary in deployment.functions]
    assert len(set(roles)) == len(roles)


def test_no_function_was_refused_anything(deployment: Deployment) -> None:
    for binary in deployment.functions:
        refused = [line for line in deployment.lines(binary) if "AccessDenied" in line or "not authorized" in line]
        assert not refused, f"{binary}: {refused[0]}"
