#!/usr/bin/env bash
# moto 5.2.5 takes the ClientRequestToken of TransactWriteItems and does a transaction twice that comes twice with it.
#
# DynamoDB does such a transaction once within ten minutes, and answers the second request as the first: that is what makes a lost answer
# harmless, and the SDKs send a token by themselves. One would guess that the emulator, which takes the field, does the same, or refuses
# it. It counts twice; and where the transaction has a condition that the first request made untrue, the second is cancelled. So a client
# that tries again after a time-out sees a failure of its own write.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'moto[dynamodb]==5.2.5' boto3==1.44.8
cat > twice.py <<'PYTHON'
import boto3
from moto import mock_aws


@mock_aws
def main():
    table = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    table.create_table(
        TableName="t",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    count = {
        "TableName": "t",
        "Key": {"pk": {"S": "a"}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    new = {"TableName": "t", "Item": {"pk": {"S": "b"}}, "ConditionExpression": "attribute_not_exists(pk)"}
    outcomes = []
    for token, action in [("count", {"Update": count})] * 2 + [("new", {"Put": new})] * 2:
        try:
            table.transact_write_items(ClientRequestToken=token, TransactItems=[action])
            outcomes.append("done")
        except table.exceptions.TransactionCanceledException:
            outcomes.append("cancelled")
    print(*outcomes, table.get_item(TableName="t", Key={"pk": {"S": "a"}})["Item"]["n"]["N"])


main()
PYTHON
seen=$(venv/bin/python twice.py)
echo 'moto 5.2.5; a count and a conditional put, each twice with one token, and the count afterwards'
printf 'guessed: done done done done 1\nseen:    %s\n' "$seen"
[ "$seen" = 'done done done cancelled 2' ]
