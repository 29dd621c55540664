"""Logs: every line in CloudWatch, and the same records through Firehose, sent by the functions after their answers."""

import json

from .api import Api
from .deployment import Deployment
from .waiting import eventually

PASSWORD = "a-password-to-look-for"
EMAIL = "look-for-me@logs.example.com"


def test_a_request_is_found_in_both_logs_by_its_id(api: Api, deployment: Deployment) -> None:
    request_id = api.get("/health").headers["x-request-id"]

    def line(records: list[dict]) -> dict | None:
        return next((record for record in records if record.get("trace.id") == request_id), None)

    in_cloudwatch = eventually("the line in CloudWatch", lambda: line(deployment.records("health")))
    in_firehose = eventually("the record behind Firehose", lambda: line(deployment.shipped()))
    assert in_cloudwatch == in_firehose
    assert in_firehose["faas.name"] == "health"


def test_what_happened_is_told_in_security_events(api: Api, deployment: Deployment) -> None:
    api.signed_in(EMAIL, PASSWORD)
    expected = {"user_registered", "mail_sent", "address_confirmed", "login_succeeded"}

    def told() -> set[str]:
        return {record["event.action"] for record in deployment.shipped() if "event.action" in record}

    eventually(f"{expected} behind Firehose", lambda: expected <= told())


def test_no_log_holds_a_password_a_token_or_a_whole_address(api: Api, deployment: Deployment) -> None:
    pair = api.login(EMAIL, PASSWORD).must(200)
    secrets = [EMAIL, PASSWORD, pair["access_token"], pair["refresh_token"]]
    everything = [line for binary in deployment.functions for line in deployment.lines(binary)]
    everything += [json.dumps(record) for record in deployment.shipped()]
    for line in everything:
        assert not [secret for secret in secrets if secret in line], line


def test_a_functions_log_is_kept_for_as_long_as_the_template_says(deployment: Deployment) -> None:
    groups = deployment.client("logs").get_paginator("describe_log_groups").paginate()
    kept = {group["logGroupName"]: group.get("retentionInDays") for page in groups for group in page["logGroups"]}
    for binary in deployment.functions:
        assert kept[deployment.log_group(binary)], f"{binary} logs to a group that nobody ever empties"
