"""What was deployed, as its operator sees it: functions, queues, buckets, logs. Nothing here goes by a name that the
template chose; everything is found from the functions on."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import urllib3

from .emulator import ACCOUNT, Emulator


@dataclass
class Deployment:
    emulator: Emulator
    stack: str
    # The binary of each function by the name of its resource.
    binaries: dict[str, str]
    # Where the zip of each binary lies.
    code: dict[str, str]

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    @cached_property
    def resources(self) -> dict[str, str]:
        """Physical names by logical ones, of the stack and of those nested in it."""
        found = self.resources_of(self.stack)
        areas = [physical for physical in found.values() if ":cloudformation:" in physical and ":stack/" in physical]
        for area in areas:
            found |= self.resources_of(area)
        return found

    def resources_of(self, stack: str) -> dict[str, str]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
        return {summary["LogicalResourceId"]: summary["PhysicalResourceId"] for summary in summaries}

    @cached_property
    def functions(self) -> dict[str, str]:
        """The deployed function of each binary."""
        return {binary: self.resources[resource] for resource, binary in self.binaries.items()}

    def configuration(self, binary: str) -> dict:
        return self.client("lambda").get_function_configuration(FunctionName=self.functions[binary])

    def variable(self, name: str, binary: str = "register") -> str:
        """An environment variable of a function, as the template made it."""
        return self.configuration(binary)["Environment"]["Variables"][name]

    def invoke(self, binary: str, event: bytes) -> Any:
        """By the alias, as everything does that invokes on AWS: what was deployed but not published is seen by nobody."""
        answer = self.client("lambda").invoke(FunctionName=self.functions[binary], Qualifier="live", Payload=event)
        payload = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, f"{binary} failed: {payload}"
        return json.loads(payload) if payload else None

    def routes(self) -> dict[str, str]:
        """The binary behind each route of the API."""
        gateway = self.client("apigatewayv2")
        [api] = [api for api in gateway.get_apis()["Items"] if api["ApiId"] in self.resources.values()]
        api = {"ApiId": api["ApiId"]}
        uris = {item["IntegrationId"]: item["IntegrationUri"] for item in gateway.get_integrations(**api)["Items"]}
        routes = {item["RouteKey"]: item["Target"].rpartition("/")[2] for item in gateway.get_routes(**api)["Items"]}
        return {key: self.binary_in(uris[integration]) for key, integration in routes.items()}

    def binary_in(self, arn: str) -> str:
        """The binary of the function that an ARN is about."""
        [binary] = [binary for binary, function in self.functions.items() if f":function:{function}" in arn]
        return binary

    # Logs.

    def lines(self, binary: str, since: float = 0) -> list[str]:
        """What a function wrote to CloudWatch, with Lambda's own lines, oldest first."""
        logs = self.client("logs")
        events = logs.get_paginator("filter_log_events")
        pages = events.paginate(logGroupName=self.log_group(binary), startTime=int(since * 1000))
        try:
            return [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    def log_group(self, binary: str) -> str:
        settings = self.configuration(binary).get("LoggingConfig", {})
        return settings.get("LogGroup", f"/aws/lambda/{self.functions[binary]}")

    def records(self, binary: str) -> list[dict]:
        """The function's own lines among them, which are JSON."""
        return [json.loads(line) for line in self.lines(binary) if line.startswith("{")]

    def invocations(self, binary: str) -> int:
        return sum(line.startswith("START RequestId") for line in self.lines(binary))

    def shipped(self) -> list[dict]:
        """The log records that went through Firehose and rest in its bucket."""
        stream = self.client("firehose").describe_delivery_stream(DeliveryStreamName=self.variable("LOG_STREAM"))
        destination = stream["DeliveryStreamDescription"]["Destinations"][0]
        bucket = destination["ExtendedS3DestinationDescription"]["BucketARN"].rpartition(":")[2]
        bodies = [self.read(bucket, key).decode() for key in self.keys(bucket)]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    # Queues.

    def source_queue(self, binary: str) -> str:
        """The URL of the queue that feeds a function."""
        mappings = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        [arn] = [item["EventSourceArn"] for item in mappings if self.binary_in(item["FunctionArn"]) == binary]
        return self.queue_url(arn)

    def dead_letter_queue(self, queue: str) -> str:
        policy = json.loads(self.queue_attributes(queue)["RedrivePolicy"])
        return self.queue_url(policy["deadLetterTargetArn"])

    def queue_url(self, arn: str) -> str:
        return self.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]

    def queue_attributes(self, queue: str) -> dict[str, str]:
        return self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]

    def depth(self, queue: str) -> int:
        """Messages in a queue, those being worked on too."""
        attributes = self.queue_attributes(queue)
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(int(attributes[name]) for name in names)

    # Tables and buckets.

    def items_with(self, *words: str) -> list[str]:
        """The items of the main table that hold one of some words anywhere."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.variable("TABLE_NAME"))
        items = [json.dumps(item, default=str) for page in pages for item in page["Items"]]
        return [item for item in items if any(word in item for word in words)]

    def keys(self, bucket: str) -> list[str]:
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(self, bucket: str, key: str) -> bytes:
        return self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()

    # Mail.

    def mails(self, address: str) -> list[dict]:
        """What SES was given for an address, oldest first."""
        url = f"{self.emulator.url}/_ministack/ses/messages?account={ACCOUNT}"
        messages = urllib3.request("GET", url).json()["messages"].get(ACCOUNT, [])
        return [message for message in messages if address in message["To"]]
