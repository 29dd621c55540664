"""Queues: messages are worked off, and what cannot be is set aside without holding up the rest."""

import json

import pytest

from . import deviations
from .api import BASE_PATH, Api
from .deployment import Deployment
from .waiting import eventually

PASSWORD = "quiet-lantern-harbour"
CONSUMERS = ["deliver_webhooks", "emailer", "record_email_events", "resize_picture"]


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_nothing_is_left_in_a_queue(deployment: Deployment, consumer: str) -> None:
    queue = deployment.source_queue(consumer)
    eventually(f"the queue of {consumer} to be empty", lambda: deployment.depth(queue) == 0)
    assert deployment.depth(deployment.dead_letter_queue(queue)) == 0


def test_an_upload_that_is_no_picture_is_rejected_with_a_reason(api: Api, deployment: Deployment) -> None:
    access = api.signed_in("no-picture@queues.example.com", PASSWORD)["access_token"]
    api.upload(b"not a picture at all", "image/png", access)
    assert api.picture("rejected", access)["reason"]
    assert deployment.keys(deployment.variable("UPLOADS_BUCKET")) == [], "an upload that is done with stays behind"


def test_an_upload_address_takes_nothing_but_what_it_was_signed_for(api: Api) -> None:
    access = api.signed_in("other-type@queues.example.com", PASSWORD)["access_token"]
    upload = api.post("/user/picture", {"content_type": "image/png", "content_length": 4}, access).must(200)
    other = {**upload["headers"], "content-type": "text/html"}
    assert api.fetch("PUT", upload["upload_url"], b"<p/>", other).status == 403


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_message_that_cannot_be_read_ends_among_the_dead_letters(deployment: Deployment, consumer: str) -> None:
    queue = deployment.source_queue(consumer)
    dead = deployment.dead_letter_queue(queue)
    deviations.hurry(deployment.client("sqs"), queue)
    deployment.client("sqs").send_message(QueueUrl=queue, MessageBody="poison")
    eventually("the poison among the dead letters", lambda: deployment.depth(dead) == 1)
    assert deployment.depth(queue) == 0
    [letter] = deployment.client("sqs").receive_message(QueueUrl=dead)["Messages"]
    assert letter["Body"] == "poison"


def test_an_event_of_a_change_reaches_the_target_of_a_rule(api: Api, deployment: Deployment) -> None:
    events, sqs = deployment.client("events"), deployment.client("sqs")
    bus = deployment.variable("EVENT_BUS", "publish_events")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = deployment.queue_attributes(queue)["QueueArn"]
    pattern = {"source": ["user-service"], "detail-type": ["user.updated"]}
    events.put_rule(Name="told", EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="told", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    access = api.signed_in("told@queues.example.com", PASSWORD)["access_token"]
    api.request("PUT", BASE_PATH + "/user", {"name": "Ada King"}, access).must(200)
    eventually("the event", lambda: deployment.depth(queue) == 1)
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    event = json.loads(message["Body"])["detail"]
    assert event["specversion"] == "1.0"
    assert event["data"]["changed"] == {"name": "Ada King"}


def test_a_poisoned_queue_still_delivers(api: Api, deployment: Deployment) -> None:
    deployment.client("sqs").send_message(QueueUrl=deployment.source_queue("emailer"), MessageBody="poison")
    api.signed_in("beside-the-poison@queues.example.com", PASSWORD)
