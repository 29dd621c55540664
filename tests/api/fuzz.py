"""What tests/api/fuzz adds to the requests that Schemathesis makes: credentials, and accounts and resources that exist.

Without these, almost every request would be answered 401 or 404, and no successful response would be held against the document.
"""

import atexit
import base64
import itertools
import os
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import requests
import schemathesis

STACK = os.environ["STACK"]
SIGNED_IN = os.environ["SIGNED_IN"] == "yes"
# As `ADMIN_EMAIL` and `INTROSPECTION_CLIENTS` say in tests/api/fuzz.
ADMIN, CLIENT, SECRET = "fuzz-admin@example.com", "fuzz", "secret"
PASSWORD = "quiet-lantern-harbour"

http = requests.Session()
numbers = itertools.count()


def call(method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = http.request(method, f"{STACK}/api/v1{path}", json=body, headers=headers, timeout=30)
    response.raise_for_status()
    return response.json() if response.content else None


def sign_in(email: str = ADMIN) -> Any:
    return call("POST", "/auth/login", {"email": email, "password": PASSWORD})


def choose_password(email: str) -> None:
    """Chooses the password of an account through the emailed link, which administrators have to."""
    for _ in range(100):
        mails = http.get(f"{STACK}/_local/mail", timeout=30).json()
        links = [link for mail in mails if mail["to"] == email for link in mail["links"]]
        for token in [parse_qs(urlsplit(link).query).get("token") for link in links]:
            if token:
                call("POST", "/auth/password/reset", {"token": token[0], "password": PASSWORD})
                return
        time.sleep(0.1)
    raise AssertionError(f"no email to {email}")


class World:
    """The administrator's session, and what the requests are about. Each is made when it is needed, and anew when it is gone."""

    def __init__(self) -> None:
        call("POST", "/auth/register", {"name": "Admin", "email": ADMIN, "password": PASSWORD})
        choose_password(ADMIN)
        self.admin = str(sign_in()["user"]["id"])
        self.things: dict[str, str] = {}

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Calls as the administrator, whose session a request may have ended."""
        try:
            return call(method, path, body, self.get("token"))
        except requests.HTTPError:
            del self.things["token"]
            return call(method, path, body, self.get("token"))

    def get(self, thing: str) -> str:
        if thing not in self.things:
            self.things[thing] = getattr(self, f"make_{thing}")()
        return self.things[thing]

    def make_token(self) -> str:
        return str(sign_in()["access_token"])

    def make_account(self, **options: Any) -> Any:
        email = f"fuzz-{next(numbers)}@example.com"
        return self.call("POST", "/users", {"name": "Member", "email": email, **options})

    def make_user(self) -> str:
        return str(self.make_account(email_confirmed=True)["id"])

    def make_own_token(self) -> str:
        """The token of an administrator who may delete their own account."""
        email = self.make_account(roles=["admin"], invite=True)["email"]
        choose_password(email)
        return str(sign_in(email)["access_token"])

    def make_session(self) -> str:
        token = sign_in()["access_token"]
        sessions = call("GET", "/auth/sessions", token=token)["sessions"]
        return str(next(session["id"] for session in sessions if session["current"]))

    def make_invitation(self) -> str:
        email = f"fuzz-{next(numbers)}@example.com"
        return str(self.call("POST", "/invitations", {"email": email})["id"])

    def make_webhook(self) -> str:
        # There are at most 20, and the requests make some, too.
        for webhook in self.call("GET", "/webhooks")["webhooks"][10:]:
            self.call("DELETE", f"/webhooks/{webhook['id']}")
        return str(self.call("POST", "/webhooks", {"url": f"{STACK}/_local/receiver", "types": []})["id"])

    def make_delivery(self) -> str:
        webhook = self.get("webhook")
        self.call("PATCH", f"/webhooks/{webhook}", {"enabled": True})
        self.call("POST", f"/webhooks/{webhook}/test")
        for _ in range(100):
            deliveries = self.call("GET", f"/webhooks/{webhook}/deliveries")["deliveries"]
            if deliveries:
                return str(deliveries[0]["id"])
            time.sleep(0.1)
        raise AssertionError("no delivery")


world = World() if SIGNED_IN else None

# The thing that a parameter of an operation's path names, by the beginning of the path.
PARAMETERS = {
    ("/users/", "id"): "user",
    ("/invitations/", "id"): "invitation",
    ("/webhooks/", "id"): "webhook",
    ("/webhooks/", "delivery_id"): "delivery",
    ("/auth/sessions/", "id"): "session",
}
# What a successful request takes away.
GONE = {
    "remove_user": ["user"],
    "revoke_invitation": ["invitation"],
    "delete_webhook": ["webhook", "delivery"],
    "end_session": ["session"],
    "delete_user": ["user", "own_token"],
}
# These succeed only with something that no request here has: the token of an emailed link, a passkey, or a code of an app.
NEVER_SUCCEED = {
    *("open_confirmation_link", "confirm_registration", "open_invitation_link", "accept_invitation"),
    *("open_reset_link", "reset_password", "open_email_confirmation_link", "confirm_email_change"),
    *("open_email_undo_link", "undo_email_change", "verify_login", "passkey_login", "add_passkey", "rename_passkey"),
    *("delete_passkey", "remove_user_passkey", "confirm_totp", "delete_totp", "remove_user_totp", "renew_recovery_codes"),
    # The user of `PARAMETERS` has no session.
    "end_user_session",
}
called: set[str] = set()
succeeded: set[str] = set()


@atexit.register
def record_successes() -> None:
    """For tests/api/fuzz, which fails if the requests of an administrator do not get through."""
    unsuccessful = sorted(called - succeeded - NEVER_SUCCEED)
    Path(os.environ["UNSUCCESSFUL"]).write_text("".join(f"{name}\n" for name in unsuccessful), encoding="utf-8")


def operation_id(case: schemathesis.Case) -> str:
    return str(case.operation.definition.raw.get("operationId"))


def authorization(case: schemathesis.Case) -> str | None:
    """The credentials that an operation takes, as they are now: a request may have ended the session."""
    assert world
    schemes = [scheme for alternative in case.operation.definition.raw["security"] for scheme in alternative]
    match operation_id(case):
        # These end the session or delete the account, so each has one of its own.
        case "logout":
            return f"Bearer {world.make_token()}"
        case "delete_user":
            return f"Bearer {world.get('own_token')}"
    if "access_token" in schemes:
        return f"Bearer {world.get('token')}"
    if "refresh_token" in schemes:
        return f"Bearer {sign_in()['refresh_token']}"
    if "introspection_client" in schemes:
        return "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    return None


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    # A key that is used a second time gets the response of the first request, or a conflict: each valid key is used once.
    if re.fullmatch(r"[!-~]{1,255}", str(case.headers.get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = f"fuzz-{next(numbers)}"
    body = case.body if isinstance(case.body, dict) else {}
    # A null counts as absent in every body. The document does not say so of proofs, as rules for `oneOf` look at names alone.
    for proof in ("code", "recovery_code", "passkey", "password"):
        if body.get(proof, "") is None:
            del body[proof]
    # Webhooks are delivered to this machine only.
    if str(body.get("url", "")).startswith("http"):
        body["url"] = f"{STACK}/_local/receiver"
    if not world:
        return
    # Unless the request is meant to lack credentials, or to have wrong ones.
    if not case.operation.schema.is_security_param_negated(case) and (credentials := authorization(case)):
        case.headers["Authorization"] = credentials
    # Other administrators leave this one alone, which Schemathesis finds in lists.
    if case.query.get("id") == world.admin:
        case.query["id"] = world.get("user")
    # Three of four requests are about something that exists.
    for (prefix, name), thing in PARAMETERS.items():
        value = case.path_parameters.get(name)
        if case.operation.path.startswith(prefix) and is_uuid(value) and UUID(value).int % 4:
            case.path_parameters[name] = world.get(thing)
    match operation_id(case), body:
        case "create_user" | "create_invitation" | "patch_user", {"email": str(email)} if "@example." in email:
            body["email"] = f"fuzz-{next(numbers)}@example.com"
        case "login", {"email": str(), "password": str()} if "example" in body["email"]:
            body |= {"email": ADMIN, "password": PASSWORD}
        case "refresh", {"refresh_token": str()}:
            body["refresh_token"] = sign_in()["refresh_token"]
        case "introspect", {"token": str()}:
            body["token"] = world.get("token")
        case "step_up", {"password": str()}:
            body["password"] = PASSWORD
        case "change_password", {"current_password": str(), "new_password": str()}:
            body |= {"current_password": PASSWORD, "new_password": PASSWORD}
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"


@schemathesis.hook
def after_call(context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
    called.add(operation_id(case))
    if response.status_code < 400:
        succeeded.add(operation_id(case))
    if not world:
        return
    if response.status_code < 300:
        for thing in GONE.get(operation_id(case), []):
            world.things.pop(thing, None)
    if response.status_code == 401 and "invalid_token" in response.text:
        world.things.pop("token", None)


def is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False
