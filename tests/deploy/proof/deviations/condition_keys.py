"""The condition keys of IAM by which the template's policies narrow rights further than to resources: the partitions
of a table (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>) and the
sender of a mail (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonses.html>)."""

import json
import re
from email.utils import parseaddr
from typing import Any

# Of both tables; those of the indexes are found in the query's condition.
PARTITION_KEY = "pk"
PARTITION_KEYS = {PARTITION_KEY, "listed_in", "pending_shard"}


class Resource(str):
    """An ARN with what else a policy may ask of this use of it, and with other resources that are used by it."""

    context: dict[str, Any]
    others: tuple[str, ...]

    def __new__(cls, arn: str, context: dict[str, Any], *others: str) -> "Resource":
        resource = super().__new__(cls, arn)
        resource.context, resource.others = context, others
        return resource


def add_the_condition_keys() -> None:
    """The emulator's IAM does not know dynamodb:LeadingKeys and ses:FromAddress, so they are worked out from each
    request. Without it a condition on partitions would always count as met, and one on the sender never."""
    from ministack.core import iam_actions, iam_evaluator

    context_alone = iam_actions.dynamodb_service_context
    checks_alone = iam_actions.dynamodb_transaction_checks
    mail_alone = iam_actions._ses_v2_resource_arn
    enforce_alone = iam_evaluator.enforce

    def of_request(body):
        keys = leading_keys(json.loads(body or b"{}"))
        return context_alone(body) | ({"dynamodb:LeadingKeys": keys} if keys else {})

    def of_transaction(action, body, region, account):
        checks = checks_alone(action, body, region, account)
        if not checks:
            return []
        items = [detail for item in json.loads(body)["TransactItems"] for detail in item.values()]
        return [
            (action, Resource(arn, {"dynamodb:LeadingKeys": leading_keys(item)}))
            for (action, arn), item in zip(checks, items, strict=True)
        ]

    def of_mail(method, path, body, region, account):
        if not path.endswith("/outbound-emails"):
            return mail_alone(method, path, body, region, account)
        mail, prefix = json.loads(body), f"arn:aws:ses:{region}:{account}:"
        sender = parseaddr(mail["FromEmailAddress"])[1]
        configuration = mail.get("ConfigurationSetName")
        others = [f"{prefix}configuration-set/{configuration}"] if configuration else []
        return Resource(f"{prefix}identity/{sender}", {"ses:FromAddress": sender}, *others)

    def enforce(access_key, action, service, region, resource_arn="*", service_context=None):
        context = (service_context or {}) | getattr(resource_arn, "context", {})
        for arn in (resource_arn, *getattr(resource_arn, "others", ())):
            if denied := enforce_alone(access_key, action, service, region, arn, context):
                return denied
        return None

    iam_actions.dynamodb_service_context = of_request
    iam_actions.dynamodb_transaction_checks = of_transaction
    iam_actions._ses_v2_resource_arn = of_mail
    iam_evaluator.enforce = enforce


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


def queried_keys(request: dict) -> list[str]:
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    conditions = re.findall(r"([\w#]+)\s*=\s*(:\w+)", request["KeyConditionExpression"])
    return [values[value]["S"] for name, value in conditions if names.get(name, name) in PARTITION_KEYS]
