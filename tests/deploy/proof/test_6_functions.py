"""Every function: started by its schedule where it has one, and given the event that is stored for it."""

import json

import pytest

from .deployment import Deployment
from .template import REPOSITORY
from .waiting import eventually

EVENTS = REPOSITORY / "events"

# What the routes answer to their stored events. Of the others the event has an access token of no service.
ANSWERS = {
    "register": (202, "confirmation_required"),
    "resend_confirmation": (202, "confirmation_required"),
    "confirm_registration": (400, "link_invalid"),
    "accept_invitation": (400, "link_invalid"),
    # The account of the stored registration is there by now, and not confirmed.
    "login": (403, "email_not_confirmed"),
    "verify_login": (401, "invalid_challenge"),
    "refresh": (401, "invalid_refresh_token"),
    "introspect": (401, "invalid_client"),
    "forgot_password": (202, "reset_requested"),
    "reset_password": (400, "link_invalid"),
    "confirm_email_change": (400, "link_invalid"),
    "undo_email_change": (400, "link_invalid"),
    "start_passkey_login": (200, "challenge"),
    "passkey_login": (401, "invalid_challenge"),
    "health": (200, "ok"),
    "change_password_redirect": (302, ""),
    "api_docs": (200, ".swagger-ui"),
    "jwks": (200, "kty"),
    "discovery": (200, "issuer"),
    "not_found": (405, "method_not_allowed"),
}
CONSUMERS = [
    "deliver_webhooks",
    "dispatch_webhooks",
    "emailer",
    "import_users",
    "publish_events",
    "record_email_events",
    "resize_picture",
]
# Signing in comes after registering, whose account it is.
ROUTES = sorted({path.stem for path in EVENTS.glob("*.json")} - {*CONSUMERS, "sweeper"}, key=lambda name: (name != "register", name))


def test_the_schedule_starts_the_sweeper(deployment: Deployment) -> None:
    eventually("the sweeper to be started by its schedule", lambda: deployment.invocations("sweeper"), patience=90)


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_answers_its_stored_event(deployment: Deployment, route: str) -> None:
    answer = deployment.invoke(route, (EVENTS / f"{route}.json").read_bytes())
    status, word = ANSWERS.get(route, (401, "invalid_token"))
    assert answer["statusCode"] == status, answer
    assert word in (answer.get("body") or ""), answer


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_consumer_works_off_its_stored_event(deployment: Deployment, consumer: str) -> None:
    event = (EVENTS / f"{consumer}.json").read_bytes()
    answer = deployment.invoke(consumer, event)
    # No bucket has the part that this one names: it is tried again, as a part that was not imported must not be lost.
    left = [{"itemIdentifier": json.loads(event)["Records"][0]["messageId"]}] if consumer == "import_users" else []
    assert answer == {"batchItemFailures": left}


def test_the_sweeper_takes_its_stored_event(deployment: Deployment) -> None:
    assert deployment.invoke("sweeper", (EVENTS / "sweeper.json").read_bytes()) is None


def test_every_function_of_the_template_was_invoked(deployment: Deployment) -> None:
    never = [binary for binary in deployment.functions if not deployment.invocations(binary)]
    assert not never, f"never invoked: {never}"


def test_no_function_failed(deployment: Deployment) -> None:
    for binary in deployment.functions:
        errors = [record for record in deployment.records(binary) if record["log.level"] == "error"]
        assert not errors, f"{binary}: {errors[0]}"
        panics = [line for line in deployment.lines(binary) if "panicked" in line]
        assert not panics, f"{binary}: {panics[0]}"
