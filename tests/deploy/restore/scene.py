"""Two tables as template.yaml has them, what the store writes into them, and deploy/restore run on them."""

import json
import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from proof.emulator import REGION, Emulator
from proof.template import REPOSITORY, Template
from proof.waiting import eventually

TOOL = REPOSITORY / "deploy/restore"
PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdC1vZi0xNi1ieXRl$b3V0cHV0LW9mLWEtcGFzc3dvcmQtb2YtMzItYnl0ZXM"

numbers = count(1)


@cache
def template() -> dict:
    return Template.of("test").body


serialize = TypeSerializer().serialize
deserialize = TypeDeserializer().deserialize


def item(plain: dict[str, Any]) -> dict[str, Any]:
    """What is None is left out, as the store does it."""
    return {name: serialize(value) for name, value in plain.items() if value is not None}


@dataclass
class Run:
    status: int
    out: str
    error: str

    def must(self, status: int = 0) -> "Run":
        assert self.status == status, f"{self.status} instead of {status}:\n{self.out}\n{self.error}"
        return self


def start_tool(emulator: Emulator, *arguments: str) -> subprocess.Popen:
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    command = [sys.executable, TOOL, "--poll", "0.1", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_tool(emulator: Emulator, *arguments: str) -> Run:
    process = start_tool(emulator, *arguments)
    out, error = process.communicate(timeout=120)
    return Run(process.returncode, out, error)


def next_second() -> int:
    """The end of the second that runs, once it is over: what was written so far is in it, and what comes now is not."""
    second = int(time.time()) + 1
    eventually("the next second", lambda: time.time() > second)
    return second


def utc(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


@dataclass
class Scene:
    """A stack with nothing but its tables and their keys, cut out of template.yaml."""

    emulator: Emulator
    stage: str = "production"
    stack: str = ""
    sources: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stack = f"drill-{next(numbers)}"
        self.dynamodb = self.emulator.client("dynamodb")
        self.logs = self.emulator.client("logs")
        body = template()
        kept = ["Table", "TableKey", "KeysTable", "KeysTableKey"]
        body = {
            "Parameters": body["Parameters"],
            "Mappings": body["Mappings"],
            "Conditions": body["Conditions"],
            "Resources": {name: body["Resources"][name] for name in kept},
            "Outputs": {name: body["Outputs"][name] for name in ("TableName", "KeysTableName")},
        }
        cloudformation = self.emulator.client("cloudformation")
        cloudformation.create_stack(
            StackName=self.stack,
            TemplateBody=json.dumps(body),
            Parameters=[{"ParameterKey": "Stage", "ParameterValue": self.stage}],
            Tags=[{"Key": "service", "Value": "users"}, {"Key": "stage", "Value": self.stage}],
        )

        def made() -> dict | None:
            stack = cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]
            return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

        stack = eventually(f"the stack {self.stack}", made)
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.sources = {"main": outputs["TableName"], "keys": outputs["KeysTableName"]}
        for function in (
            "delete_user",
            "remove_user",
            "change_password",
            "reset_password",
            "undo_email_change",
            "accept_invitation",
        ):
            self.logs.create_log_group(logGroupName=self.group(function))
            self.logs.create_log_stream(logGroupName=self.group(function), logStreamName="one")

    # What is in the tables.

    def put(self, plain: dict[str, Any], table: str = "main") -> None:
        self.dynamodb.put_item(TableName=self.sources[table], Item=item(plain))

    def account(self, email: str, key: str = "", epoch: int = 0, **more: Any) -> str:
        """An account with its address, as `create_user` and a sign-in leave them."""
        user = new_id()
        profile = {
            "pk": f"USER#{user}",
            "sk": "PROFILE",
            "id": user,
            "name": "Ada Lovelace",
            "email": email,
            "email_confirmed": True,
            "roles": ["user"],
            "password_hash": PASSWORD_HASH,
            "disabled": False,
            "session_epoch": epoch,
            "known_clients": ["client"],
            "tell_first_client": False,
            "passkeys": 0,
            "picture": {},
            "former_emails": [],
            "listed_in": "USERS",
            "listed_as": user,
            "created_at": 1,
            "updated_at": 1,
        }
        self.put(profile | more)
        parameters = PASSWORD_HASH.rpartition("$")[0]
        self.put({"pk": f"EMAIL#{key or email.lower()}", "sk": "OWNER", "user": user, "hash_parameters": parameters})
        return user

    def signing_key(self, kid: str) -> None:
        self.put({"pk": "KEYS", "sk": kid, "kid": kid, "algorithm": "ES256", "jwk": "{}"})
        self.put({"pk": "SIGNING", "sk": kid, "kid": kid, "algorithm": "ES256", "pkcs8": "secret"}, "keys")

    def symmetric_key(self, name: str, value: str = "secret") -> None:
        self.put({"pk": name, "sk": "KEY", "key": value}, "keys")

    def group(self, function: str) -> str:
        return f"/aws/lambda/{self.stack}/{function}"

    def log(self, function: str, action: str, user: str, second: float | None = None) -> None:
        record = {"event.action": action, "user.id": user, "message": action, "log.level": "info"}
        event = {"timestamp": int((second or time.time()) * 1000), "message": json.dumps(record)}
        self.logs.put_log_events(logGroupName=self.group(function), logStreamName="one", logEvents=[event])

    # The tool, and what came of it.

    def restore(self, second: int, *arguments: str) -> Run:
        return run_tool(self.emulator, "--stack", self.stack, "--at", utc(second), *arguments)

    def restored(self, second: int, which: str = "main") -> str:
        suffix = {"main": "", "keys": "-keys"}[which]
        return f"{self.stack}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(second))}{suffix}"

    def items(self, table: str) -> dict[tuple[str, str], dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        found = [{name: deserialize(value) for name, value in one.items()} for page in pages for one in page["Items"]]
        return {(one["pk"], one["sk"]): one for one in found}

    def describe(self, table: str) -> dict:
        return self.dynamodb.describe_table(TableName=table)["Table"]

    def tables(self) -> list[str]:
        pages = self.dynamodb.get_paginator("list_tables").paginate()
        return [name for page in pages for name in page["TableNames"] if name.startswith(self.stack)]


def new_id() -> str:
    """A version 7 UUID of now."""
    number = uuid.uuid4().int & (1 << 80) - 1 | int(time.time() * 1000) << 80
    return str(uuid.UUID(int=number & ~(0xF << 76) | 0x7 << 76))
