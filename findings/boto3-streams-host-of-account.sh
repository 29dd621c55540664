#!/usr/bin/env bash
# botocore 1.44.8 sends three of the four calls of DynamoDB Streams to a host named after the account.
#
# Up to 1.44.0 all went to streams.dynamodb.REGION.amazonaws.com. One would guess that a client has one host, and that a host with
# the account's number takes credentials that name one, as in DynamoDB for a table's name. It is taken from the stream's ARN: the same
# client asks the old host for ListStreams, and ACCOUNT.streams-ddb.REGION.amazonaws.com for DescribeStream,
# GetShardIterator and GetRecords. Allow-lists of hosts and stand-ins have to know both; moto 5.2.5 answers the second with
# 404 "Not yet implemented". `account_id_endpoint_mode="disabled"` brings the one host back.
#
# Nothing leaves this machine: moto answers, and what it does not know ends there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.44.8 botocore==1.44.8 'moto[dynamodb]==5.2.5'

env -u AWS_PROFILE -u AWS_ENDPOINT_URL AWS_CONFIG_FILE=/dev/null AWS_DEFAULT_REGION=eu-central-1 "$work/venv/bin/python" - <<'SCRIPT'
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws


@mock_aws
def hosts(mode: str) -> dict[str, tuple[str, str]]:
    table = boto3.client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    arn = table["TableDescription"]["LatestStreamArn"]
    streams = boto3.client("dynamodbstreams", config=Config(account_id_endpoint_mode=mode))
    host = []
    streams.meta.events.register("before-send.*.*", lambda request, **_: host.append(urlsplit(request.url).hostname))
    seen = {}
    for call, parameters in (("list_streams", {"TableName": "orders"}), ("describe_stream", {"StreamArn": arn})):
        try:
            getattr(streams, call)(**parameters)
            answer = "answered"
        except ClientError as error:
            answer = error.response["Error"]["Message"]
        seen[call] = (host[-1], answer)
    return seen


old = ("streams.dynamodb.eu-central-1.amazonaws.com", "answered")
new = ("123456789012.streams-ddb.eu-central-1.amazonaws.com", "Not yet implemented")
seen = hosts("preferred")
print("boto3 1.44.8 with moto 5.2.5, hosts of a client for DynamoDB Streams as it comes")
print("guessed:", {"list_streams": old, "describe_stream": old})
print("seen:   ", seen)
assert seen == {"list_streams": old, "describe_stream": new}
assert hosts("disabled") == {"list_streams": old, "describe_stream": old}
SCRIPT
