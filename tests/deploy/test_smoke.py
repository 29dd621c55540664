"""deploy/smoke against a small server that answers as the service does, and wrongly in one way at a time."""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stack

PROBLEM = "application/problem+json"
KEY = {"kty": "EC", "crv": "P-256", "kid": "1"}
RIGHT = {
    "GET /health": (200, "application/json", {"status": "ok"}),
    "GET /openapi.json": (200, "application/json", {"openapi": "3.1.0"}),
    "GET /.well-known/jwks.json": (200, "application/json", {"keys": [KEY]}),
    "POST /auth/login": (401, PROBLEM, {"code": "invalid_credentials"}),
    "POST /auth/password/forgot": (202, "application/json", {"status": "reset_requested"}),
    "GET /no-such-path": (404, PROBLEM, {"code": "not_found"}),
}


class Service:
    """Answers what `answers` says; a list is said one after the other, and its last from then on."""

    def __init__(self):
        self.answers = dict(RIGHT)
        self.requests = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                path = self.path.removeprefix("/api/v1")
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                service.requests.append((f"{self.command} {path}", json.loads(body) if body else None))
                answer = service.answers[f"{self.command} {path}"]
                if isinstance(answer, list):
                    answer = answer.pop(0) if len(answer) > 1 else answer[0]
                status, kind, value = answer
                text = json.dumps(value, separators=(",", ":")).encode()
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def asked(self, request):
        return [body for name, body in self.requests if name == request]


@pytest.fixture
def service():
    service = Service()
    yield service
    service.server.shutdown()
    service.server.server_close()


def smoke(url):
    return subprocess.run(
        [stack.ROOT / "deploy/smoke", url],
        env={"PATH": os.environ["PATH"], "SMOKE_PAUSE": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_service_that_answers_rightly_passes(service):
    ended = smoke(f"{service.url}/")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split(":")[0] for line in ended.stdout.splitlines()] == [f"ok      {name}" for name in RIGHT]


@pytest.mark.parametrize(
    "request_, answer",
    [
        ("GET /health", (503, "application/json", {"message": "Service Unavailable"})),
        ("GET /health", (200, "text/html", "Welcome")),
        ("GET /openapi.json", (500, PROBLEM, {"code": "internal"})),
        ("GET /openapi.json", (200, "application/json", {})),
        ("GET /.well-known/jwks.json", (500, PROBLEM, {"code": "internal"})),
        ("GET /.well-known/jwks.json", (200, "application/json", {"keys": []})),
        ("POST /auth/login", (500, PROBLEM, {"code": "internal"})),
        ("POST /auth/login", (429, PROBLEM, {"code": "too_many_requests"})),
        ("POST /auth/login", (200, "application/json", {"access_token": "given without a password"})),
        ("POST /auth/login", (401, PROBLEM, {"code": "invalid_token"})),
        ("POST /auth/password/forgot", (500, PROBLEM, {"code": "internal"})),
        ("POST /auth/password/forgot", (202, "application/json", {})),
        ("GET /no-such-path", (404, "application/json", {"message": "Not Found"})),
        ("GET /no-such-path", (404, "text/html", {"code": "not_found"})),
    ],
)
def test_one_wrong_answer_fails_and_is_named_with_what_it_said(service, request_, answer):
    service.answers[request_] = answer
    ended = smoke(service.url)
    assert ended.returncode == 1
    (failure,) = [line for line in ended.stderr.splitlines() if line.startswith("failed")]
    assert failure.startswith(f"failed  {request_}: "), failure
    assert str(answer[0]) in failure or answer[1] in failure
    assert f"1 of 6 checks failed at {service.url}" in ended.stderr
    # The others are made all the same.
    assert {name for name, _ in service.requests} == set(RIGHT)


def test_every_failure_is_told(service):
    for request_ in RIGHT:
        service.answers[request_] = (500, PROBLEM, {"code": "internal"})
    ended = smoke(service.url)
    assert ended.returncode == 1
    assert "6 of 6 checks failed" in ended.stderr
    assert ended.stderr.count('"code":"internal"') == len(RIGHT)


def test_the_first_signing_key_is_waited_for(service):
    none = (200, "application/json", {"keys": []})
    service.answers["GET /.well-known/jwks.json"] = [none, none, RIGHT["GET /.well-known/jwks.json"]]
    assert smoke(service.url).returncode == 0
    assert len(service.asked("GET /.well-known/jwks.json")) == 3


def test_a_wrong_answer_is_not_asked_for_again(service):
    service.answers["POST /auth/login"] = [(503, PROBLEM, {"code": "unavailable"}), RIGHT["POST /auth/login"]]
    assert smoke(service.url).returncode == 1
    assert len(service.asked("POST /auth/login")) == 1


def test_no_person_can_get_an_email_and_no_address_comes_twice(service):
    smoke(service.url)
    smoke(service.url)
    addresses = {body["email"] for name, body in service.requests if body}
    assert len(addresses) == 2
    for address in addresses:
        # SES's mailbox simulator, which delivers to no person.
        assert address.startswith("success+smoke-") and address.endswith("@simulator.amazonses.com"), address


def test_nothing_that_answers_fails_at_once():
    ended = smoke("http://127.0.0.1:1/api/v1")
    assert ended.returncode == 1
    assert "no response from http://127.0.0.1:1/api/v1" in ended.stderr
    assert ended.stderr.count("failed") == 1
