#!/usr/bin/env bash
# aws-lambda-powertools 3.37.0 (Python): an idempotent function that returned False, 0, "", [] or {} returns None when it is repeated.
#
# The stored result is JSON, and JSON has all of these. One would guess that a repeated call gets what the first one got, as with
# @aws-lambda-powertools/idempotency 2.35.0 for Node. Any stored result that Python takes for false is handed out as None: a caller
# that goes through the list of what was done, or reads a key of the answer, fails on the repeat alone, which tests seldom have.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0 boto3==1.43.106

"$work/venv/bin/python" -W ignore - <<'SCRIPT'
from aws_lambda_powertools.utilities.idempotency import idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyItemAlreadyExistsError
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer


class Memory(BasePersistenceLayer):
    def __init__(self):
        super().__init__()
        self.records = {}

    def _put_record(self, data_record):
        old = self.records.setdefault(data_record.idempotency_key, data_record)
        if old is not data_record:
            raise IdempotencyItemAlreadyExistsError(old_data_record=old)

    def _get_record(self, idempotency_key):
        return self.records[idempotency_key]

    def _update_record(self, data_record):
        self.records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record):
        del self.records[data_record.idempotency_key]


print("aws-lambda-powertools 3.37.0, an idempotent function called twice")
seen = []
for result in (False, 0, "", [], {}, True, [0]):
    calls = []

    @idempotent_function(data_keyword_argument="order", persistence_store=Memory())
    def handle(order):
        calls.append(order)
        return result

    first, again = handle(order={"id": 1}), handle(order={"id": 1})
    print(f"guessed: {first!r} {first!r}; seen: {first!r} {again!r}")
    assert len(calls) == 1 and first == result
    seen.append(again)
assert seen == [None, None, None, None, None, True, [0]]
SCRIPT
