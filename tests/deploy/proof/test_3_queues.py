"""Queues: messages are worked off, and what cannot be is set aside without holding up the rest."""

import base64
import hashlib
import json

import pytest

from . import deviations
from .api import BASE_PATH, Api
from .deployment import Deployment
from .waiting import eventually

PASSWORD = "quiet-lantern-harbour"
CONSUMERS = ["deliver_webhooks", "emailer", "import_users", "record_email_events", "resize_picture"]


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


def hash_of_django(password: str) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"saltsaltsalt", 100_000)
    return f"pbkdf2_sha256$100000$saltsaltsalt${base64.b64encode(digest).decode()}"


def test_a_part_of_an_import_becomes_accounts_and_a_report(api: Api, deployment: Deployment) -> None:
    s3, bucket = deployment.client("s3"), deployment.variable("TRANSFER_BUCKET", "import_users")
    email = "moved@queues.example.com"
    password = {"system": "django", "stored": hash_of_django(PASSWORD)}
    records = [{"email": email, "email_confirmed": True, "name": "Ada", "password": password}, {"email": "no address"}]
    part = {"import": "proof", "number": 3, "rows": [7, 9]}
    folder = f"imports/{part['import']}/"
    s3.put_object(Bucket=bucket, Key=f"{folder}00000003.jsonl", Body="\n".join(map(json.dumps, records)).encode())
    queue = deployment.source_queue("import_users")
    message = {"QueueUrl": queue, "MessageBody": json.dumps(part)}
    deployment.client("sqs").send_message(**message)
    report = f"{folder}00000003.report.jsonl"
    eventually("the report alone to be in the bucket", lambda: [key for key in deployment.keys(bucket) if folder in key] == [report])
    imported, refused = map(json.loads, deployment.read(bucket, report).splitlines())
    # Rows of the whole file, not of the part.
    assert (imported["row"], imported["outcome"]) == (7, "imported")
    assert (refused["row"], refused["outcome"]) == (9, "refused") and refused["reasons"]
    assert api.login(email, PASSWORD).must(200)["user"]["id"] == imported["id"]
    # SQS may deliver a message twice. The part is gone then, and that is no failure.
    deployment.client("sqs").send_message(**message)
    eventually("the second message to be worked off", lambda: deployment.depth(queue) == 0)
    assert deployment.depth(deployment.dead_letter_queue(queue)) == 0


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
