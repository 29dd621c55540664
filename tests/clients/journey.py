"""A user's journey with the Python client: journey.py STACK EMAIL PICTURE"""

import base64
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from users_client import MemoryTokenStore, Problem, Tokens, UsersClient
from users_client.schemas import Confirmation, Sessions, User

STACK, EMAIL, PICTURE = sys.argv[1:]
PASSWORD = "quiet-lantern-harbour"

refreshes = 0


def count(request: httpx.Request) -> None:
    global refreshes
    refreshes += request.url.path.endswith("/auth/refresh")


store = MemoryTokenStore()
client = UsersClient(f"{STACK}/api/v1", store=store, http=httpx.Client(timeout=30, event_hooks={"request": [count]}))


def main() -> None:
    global refreshes

    client.post("/auth/register", {"name": "Ada Lovelace", "email": EMAIL, "password": PASSWORD})
    confirmation: Confirmation = client.post("/auth/confirm", {"token": mailed_token()})
    equal(confirmation["status"], "confirmed")

    equal(client.is_signed_in, False)
    equal(problem(lambda: client.get("/user")).code, "unauthenticated")
    refused = problem(lambda: client.sign_in(EMAIL, "another password"))
    equal((refused.status, refused.code), (401, "invalid_credentials"))
    signed_in = client.sign_in(EMAIL, PASSWORD)
    equal("user" in signed_in and signed_in["user"]["email"], EMAIL)
    equal(client.is_signed_in, True)

    user: User = client.get("/user")
    equal(user["name"], "Ada Lovelace")
    user = client.put("/user", {"name": "Ada King"})
    equal(user["name"], "Ada King")
    picture = client.upload_picture(base64.b64decode(PICTURE), "image/png")
    equal(picture["status"], "ready")
    urls = picture.get("urls")
    assert urls
    equal(httpx.get(urls["64"]).status_code, 200)
    sessions: Sessions = client.get("/auth/sessions")
    equal([session["current"] for session in sessions["sessions"]], [True])

    invalid = problem(lambda: client.put("/user", {"name": ""}))
    equal((invalid.status, invalid.code, [error["field"] for error in invalid.errors]), (400, "invalid_request", ["name"]))
    equal(len(invalid.request_id or ""), 36)
    missing = problem(lambda: client.delete(f"/auth/sessions/{uuid.uuid4()}"))
    equal((missing.status, missing.code, missing.errors), (404, "session_not_found", []))
    equal(refreshes, 0)

    # The access token is about to expire; then the service says that it is not valid.
    for spoilt in ({"expires_at": time.time() + 10}, {"access_token": "expired"}):
        before = tokens()
        store.set(replace(before, **spoilt))
        refreshes = 0
        together = Barrier(3)

        def get_user(_: int) -> Any:
            together.wait()
            return client.get("/user")

        with ThreadPoolExecutor(3) as threads:
            equal([user["email"] for user in threads.map(get_user, range(3))], [EMAIL] * 3)
        equal(refreshes, 1)
        equal(tokens().refresh_token != before.refresh_token, True)

    # A refresh that fails for another reason keeps the tokens.
    kept = tokens()
    offline = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(503, headers={"Retry-After": "7"})))
    store.set(replace(kept, expires_at=0))
    unavailable = problem(lambda: UsersClient(f"{STACK}/api/v1", store=store, http=offline).get("/user"))
    equal((unavailable.status, unavailable.code, unavailable.retry_after), (503, "unknown", 7))
    equal(tokens().refresh_token, kept.refresh_token)
    store.set(kept)

    client.sign_out()
    equal(client.is_signed_in, False)
    signed_out = problem(lambda: client.get("/user"))
    equal((signed_out.status, signed_out.code), (401, "unauthenticated"))

    # The session has ended: its tokens are worth nothing, and are cleared.
    for ended in (kept, replace(kept, expires_at=0)):
        store.set(ended)
        equal(problem(lambda: client.get("/user")).status, 401)
        equal(client.is_signed_in, False)
    client.sign_out()
    client.close()

    print(f"The Python client completes the journey of {EMAIL}.")


def tokens() -> Tokens:
    stored = store.get()
    assert stored, "there are no tokens"
    return stored


def problem(call: Callable[[], object]) -> Problem:
    try:
        call()
    except Problem as problem:
        return problem
    raise AssertionError("a problem was expected")


def mailed_token() -> str:
    for _ in range(100):
        mails = httpx.get(f"{STACK}/_local/mail").json()
        links: list[str] = [link for mail in mails if mail["to"] == EMAIL for link in mail["links"]]
        for token in (parse_qs(urlsplit(link).query).get("token") for link in links):
            if token:
                return token[0]
        time.sleep(0.1)
    raise AssertionError(f"no email to {EMAIL}")


def equal(actual: object, expected: object) -> None:
    assert actual == expected, f"{actual} instead of {expected}"


main()
