"""The condition key `dynamodb:LeadingKeys`, by which a policy keeps a function to some partitions of a table
(<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>)."""

import json
import re


class ItemsTable(str):
    """A table's ARN that remembers which partition an item of a transaction lies in."""

    leading_keys: list[str]


def add_the_leading_keys() -> None:
    """The emulator's IAM does not know dynamodb:LeadingKeys, so it is worked out from each request. Without it every
    condition on it would count as met, and a wrong one would show on AWS only."""
    from ministack.core import iam_actions, iam_evaluator

    context_alone = iam_actions.dynamodb_service_context
    checks_alone = iam_actions.dynamodb_transaction_checks
    enforce_alone = iam_evaluator.enforce

    def service_context(body):
        keys = leading_keys(json.loads(body or b"{}"))
        return context_alone(body) | ({"dynamodb:LeadingKeys": keys} if keys else {})

    def transaction_checks(action, body, region, account):
        checks = checks_alone(action, body, region, account)
        if not checks:
            return []
        items = [detail for item in json.loads(body)["TransactItems"] for detail in item.values()]
        return [(action, of_item(arn, item)) for (action, arn), item in zip(checks, items, strict=True)]

    def enforce(access_key, action, service, region, resource_arn="*", service_context=None):
        if isinstance(resource_arn, ItemsTable):
            service_context = (service_context or {}) | {"dynamodb:LeadingKeys": resource_arn.leading_keys}
        return enforce_alone(access_key, action, service, region, resource_arn, service_context)

    iam_actions.dynamodb_service_context = service_context
    iam_actions.dynamodb_transaction_checks = transaction_checks
    iam_evaluator.enforce = enforce


def of_item(arn: str, item: dict) -> ItemsTable:
    table = ItemsTable(arn)
    table.leading_keys = leading_keys(item)
    return table


def leading_keys(request: dict) -> list[str]:
    """The values of the partition key that a request is about."""
    if "KeyConditionExpression" in request:
        return queried_keys(request)
    items = [request[name] for name in ("Key", "Item") if name in request]
    for table in request.get("RequestItems", {}).values():
        if isinstance(table, dict):
            items += table.get("Keys", [])
        else:
            writes = [write for entry in table for write in entry.values()]
            items += [write.get("Key") or write.get("Item") for write in writes]
    return [item[PARTITION_KEY]["S"] for item in items]


# Of all tables; those of the indexes are found in the query's condition.
PARTITION_KEY = "pk"
PARTITION_KEYS = {PARTITION_KEY, "list_shard", "pending_shard"}


def queried_keys(request: dict) -> list[str]:
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    conditions = re.findall(r"([\w#]+)\s*=\s*(:\w+)", request["KeyConditionExpression"])
    return [values[value]["S"] for name, value in conditions if names.get(name, name) in PARTITION_KEYS]
