"""Every function: started by its schedule where it has one, and given the event that is stored for it."""

import pytest

from .deployment import Deployment
from .template import REPOSITORY
from .waiting import eventually

EVENTS = REPOSITORY / "events"

# What the routes answer to their stored events, which know no token of this deployment.
ANSWERS = {
    "register": (202, "confirmation_required"),
    "send": (202, "confirmation_required"),
    "confirm": (400, "link_invalid"),
    "refresh": (401, "invalid_refresh_token"),
    "logout": (401, "invalid_token"),
    "get_user": (401, "invalid_token"),
    "update_user": (401, "invalid_token"),
    "delete_user": (401, "invalid_token"),
    "list_users": (401, "invalid_token"),
    "upload_picture": (401, "invalid_token"),
    "delete_picture": (401, "invalid_token"),
    "change_password": (401, "invalid_token"),
    "forgot_password": (202, "reset_requested"),
    "reset_password": (400, "link_invalid"),
    "confirm_email": (400, "link_invalid"),
    "undo_email": (400, "link_invalid"),
    "password_page": (302, ""),
    "list_sessions": (401, "invalid_token"),
    "end_session": (401, "invalid_token"),
    "introspect": (401, "invalid_client"),
    "verify_login": (401, "invalid_challenge"),
    "get_factors": (401, "invalid_token"),
    "start_totp": (401, "invalid_token"),
    "confirm_totp": (401, "invalid_token"),
    "delete_totp": (401, "invalid_token"),
    "renew_recovery_codes": (401, "invalid_token"),
    "start_passkey_login": (200, "challenge"),
    "passkey_login": (401, "invalid_challenge"),
    "step_up": (401, "invalid_token"),
    "start_passkey": (401, "invalid_token"),
    "add_passkey": (401, "invalid_token"),
    "rename_passkey": (401, "invalid_token"),
    "delete_passkey": (401, "invalid_token"),
    "health": (200, "ok"),
    "documentation": (200, ".swagger-ui"),
    "keys": (200, "kty"),
    "not_found": (405, "method_not_allowed"),
    # The account of the stored registration is there by now, and not confirmed.
    "login": (403, "email_not_confirmed"),
}


def test_the_schedule_starts_the_sweeper(deployment: Deployment) -> None:
    eventually("the sweeper to be started by its schedule", lambda: deployment.invocations("sweeper"), patience=90)


@pytest.mark.parametrize("route", ANSWERS)
def test_a_route_answers_its_stored_event(deployment: Deployment, route: str) -> None:
    answer = deployment.invoke(route, (EVENTS / f"{route}.json").read_bytes())
    status, word = ANSWERS[route]
    assert answer["statusCode"] == status, answer
    assert word in (answer.get("body") or ""), answer


@pytest.mark.parametrize("consumer", ["emailer", "image"])
def test_a_consumer_works_off_its_stored_event(deployment: Deployment, consumer: str) -> None:
    answer = deployment.invoke(consumer, (EVENTS / f"{consumer}.json").read_bytes())
    assert answer == {"batchItemFailures": []}


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
