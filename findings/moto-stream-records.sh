#!/usr/bin/env bash
# moto 5.2.5 (a stand-in for AWS) and the records of a DynamoDB stream: two for one new item, one for no change, of another region.
#
# One would guess, as it is in AWS: an UpdateItem that creates an item, also in a transaction, writes one INSERT with the finished
# item; an update that changes nothing writes no record; `awsRegion` is the table's. moto writes two INSERTs for one such update,
# the first with the key alone; a MODIFY with two equal images for the update without a change; and us-east-1 for every table.
# A consumer that sends one event for each INSERT sends two here, one of them without what it is about.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'moto[dynamodb]==5.2.5' boto3==1.43.106 botocore==1.43.106

env -u AWS_PROFILE -u AWS_ENDPOINT_URL AWS_CONFIG_FILE=/dev/null AWS_DEFAULT_REGION=eu-central-1 "$work/venv/bin/python" - <<'SCRIPT'
import boto3
from moto import mock_aws


def update(key: str, state: str) -> dict:
    return {
        "TableName": "orders",
        "Key": {"id": {"S": key}},
        "UpdateExpression": "SET #s = :s",
        "ExpressionAttributeNames": {"#s": "state"},
        "ExpressionAttributeValues": {":s": {"S": state}},
    }


@mock_aws
def records() -> list[tuple]:
    tables, streams = boto3.client("dynamodb"), boto3.client("dynamodbstreams")
    table = tables.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    tables.update_item(**update("a", "open"))
    tables.update_item(**update("a", "open"))
    tables.transact_write_items(TransactItems=[{"Update": update("b", "open")}])
    stream = {"StreamArn": table["TableDescription"]["LatestStreamArn"]}
    shard = streams.describe_stream(**stream)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(**stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    return [
        (record["eventName"], record["awsRegion"], *(value["S"] for value in record["dynamodb"]["NewImage"].values()))
        for record in streams.get_records(ShardIterator=iterator)["Records"]
    ]


seen = records()
print("moto 5.2.5, eu-central-1: a created by an update, updated without a change, b created by an update in a transaction")
print("guessed:", [("INSERT", "eu-central-1", "a", "open"), ("INSERT", "eu-central-1", "b", "open")])
print("seen:   ", seen)
twice = {key: [("INSERT", "us-east-1", key), ("INSERT", "us-east-1", key, "open")] for key in "ab"}
assert seen == [*twice["a"], ("MODIFY", "us-east-1", "a", "open"), *twice["b"]]
SCRIPT
