#!/usr/bin/env bash
# aws-lambda-powertools 3.37.0 (Python): of two idempotent functions with one persistence layer the second's settings are ignored.
#
# Each decorator takes a `config`, and the layer stands for the table. One would guess that each function goes by its own config, as
# the layer keeps their keys apart by the function's name. The layer adopts the first config that it meets and drops others without
# a word: the second function looks for the first one's key in its payload, finds none, and runs every time, although its config
# has `raise_on_no_idempotency_key`. Which one is first is decided by the first call in each process. The library for Node has the
# same rule and warns of it. So each config gets a layer of its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0 boto3==1.43.106

"$work/venv/bin/python" - <<'SCRIPT'
import warnings

from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
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


def calls(order_store, payment_store) -> list[str]:
    made = []

    def idempotent(name, store):
        config = IdempotencyConfig(event_key_jmespath=name, raise_on_no_idempotency_key=name == "payment")
        how = {"data_keyword_argument": "data", "persistence_store": store, "config": config, "key_prefix": name}
        return idempotent_function(lambda data: made.append(name), **how)

    order, payment = idempotent("order", order_store), idempotent("payment", payment_store)
    for _ in range(2):
        order(data={"order": 1})
        payment(data={"payment": 1})
    return made


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    shared = Memory()
    seen, apart = calls(shared, shared), calls(Memory(), Memory())
print("aws-lambda-powertools 3.37.0, two idempotent functions, each called twice, with one layer")
print("guessed:", apart)
print("seen:   ", seen)
assert apart == ["order", "payment"] and seen == ["order", "payment", "payment"]
SCRIPT
