"""Every route that the template declares leads to its function."""

import re

import pytest

from .api import Api
from .deployment import Deployment
from .waiting import eventually


# What stands for a part of a path that a route leaves open, where its own name does not lead to anything.
EXAMPLES = {"asset": "swagger-ui.css"}


def test_every_route_reaches_the_function_that_the_template_names(api: Api, deployment: Deployment) -> None:
    for key, binary in deployment.routes().items():
        if key == "$default":
            continue
        method, path = key.split(" ")
        before = deployment.invocations(binary)
        # Nothing that a route asks for: it is about who answers, not what.
        answer = api.request(method, re.sub(r"\{(\w+)\+?}", lambda part: EXAMPLES.get(part[1], part[1]), path))
        assert answer.status < 500 and answer.status not in (404, 405), f"{key}: {answer}"
        eventually(f"{binary} to be invoked by {key}", lambda: deployment.invocations(binary) > before)  # noqa: B023


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("PATCH", "/api/v1/user", 405, "method_not_allowed"),
    ],
)
def test_what_no_route_takes_is_a_problem_answer_of_ours(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    answer = api.request(method, path)
    assert answer.must(status)["code"] == code
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_keys_that_sign_tokens_are_published(api: Api) -> None:
    metadata = api.request("GET", "/.well-known/oauth-authorization-server/api/v1").must(200)
    assert metadata["issuer"] == f"{api.public_url}/api/v1"
    assert api.fetch("GET", metadata["jwks_uri"]).must(200)["keys"]


def test_a_browser_may_call_from_the_configured_pages_only(api: Api) -> None:
    asks = {"access_control_request_method": "POST", "access_control_request_headers": "content-type"}
    allowed = api.request("OPTIONS", "/api/v1/auth/login", origin="https://app.example.com", **asks)
    assert allowed.status == 204
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
    refused = api.request("OPTIONS", "/api/v1/auth/login", origin="https://elsewhere.example.com", **asks)
    assert "access-control-allow-origin" not in refused.headers
