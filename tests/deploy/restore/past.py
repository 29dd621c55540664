"""What the emulator lacks of DynamoDB's tables, point-in-time recovery above all
(<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html>)."""

import copy
import json
import time
from collections import defaultdict

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")


def remember_the_past() -> None:
    """The emulator restores a table as it is now, whatever second is asked for, and at once. It remembers every state of every
    table now, and a table that is being restored takes no request until it has been looked at twice, as DynamoDB takes none
    for minutes. It has the encryption that was asked for. Backups of tables that are deleted are not made."""
    from ministack.services import dynamodb
    from ministack.core.responses import error_response_json

    handle_alone = dynamodb.handle_request
    restore_alone = dynamodb._restore_table_to_point_in_time
    describe_alone = dynamodb._describe_continuous_backups
    # States of a table with the time from which on they were so, and looks that a restored table still wants.
    states: dict[str, list[tuple[float, dict]]] = defaultdict(list)
    looks: dict[str, int] = {}

    async def handle(method, path, headers, body, query_params, *args, **kwargs):
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        table = json.loads(body or b"{}").get("TableName")
        if table in looks:
            if action != "DescribeTable":
                return error_response_json("ResourceNotFoundException", f"{table} is being created", 400)
            look_at(table)
        answer = await handle_alone(method, path, headers, body, query_params, *args, **kwargs)
        if action in WRITES and answer[0] == 200:
            for name in dynamodb._tables:
                states[name].append((time.time(), copy.deepcopy(dict(dynamodb._tables[name]["items"]))))
        return answer

    def look_at(table):
        looks[table] -= 1
        if not looks[table]:
            del looks[table]
            dynamodb._tables[table]["TableStatus"] = "ACTIVE"

    def restore(data):
        answer = restore_alone(data)
        if answer[0] == 200:
            table = dynamodb._tables[data["TargetTableName"]]
            then = [items for at, items in states[data["SourceTableName"]] if at <= data["RestoreDateTime"]]
            table["items"] = defaultdict(dict, copy.deepcopy(then[-1] if then else {}))
            dynamodb._items_replaced(table)
            encryption = data.get("SSESpecificationOverride")
            table["SSEDescription"] = dynamodb._sse_description_from_spec(encryption)
            table["TableStatus"] = "CREATING"
            looks[table["TableName"]] = 2
        return answer

    def describe(data):
        status, headers, body = describe_alone(data)
        described = json.loads(body)
        recovery = described.get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
        if "EarliestRestorableDateTime" in recovery:
            recovery["EarliestRestorableDateTime"] = dynamodb._tables[data["TableName"]]["CreationDateTime"]
        return status, headers, json.dumps(described).encode()

    dynamodb.handle_request = handle
    dynamodb._restore_table_to_point_in_time = restore
    dynamodb._describe_continuous_backups = describe


def set_tables_up() -> None:
    """The emulator's CloudFormation makes tables without encryption, time to live and point-in-time recovery, whatever the
    template says. They are set now."""
    from ministack.services import dynamodb
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    handlers = _RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    create_alone = handlers["create"]

    def create(logical_id, properties, stack):
        name, attributes = create_alone(logical_id, properties, stack)
        table = {"TableName": name}
        encryption = dict(properties.get("SSESpecification", {}))
        # It has another name in the API.
        encryption["Enabled"] = encryption.pop("SSEEnabled", False)
        dynamodb._tables[name]["SSEDescription"] = dynamodb._sse_description_from_spec(encryption)
        for specification, set_it in {
            "PointInTimeRecoverySpecification": dynamodb._update_continuous_backups,
            "TimeToLiveSpecification": dynamodb._update_ttl,
        }.items():
            if specification in properties:
                set_it(table | {specification: properties[specification]})
        return name, attributes

    handlers["create"] = create


DEVIATIONS = [remember_the_past, set_tables_up]
