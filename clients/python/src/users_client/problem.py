"""Error responses."""

from typing import Any, Self

import httpx

from .schemas import FieldError


class Problem(Exception):
    """An error response: an RFC 9457 problem, or what is known of a response that is none."""

    status: int
    code: str
    """The stable, machine-readable code; `unknown` if the response is not a problem."""
    title: str
    detail: str
    errors: list[FieldError]
    """The invalid fields; empty if the error is not about fields."""
    request_id: str | None
    retry_after: int | None
    """Seconds to wait before the next attempt, if the service says so."""

    def __init__(self, response: httpx.Response, problem: dict[str, Any]) -> None:
        self.status = response.status_code
        self.code = problem.get("code", "unknown")
        self.title = problem.get("title", response.reason_phrase or f"HTTP {response.status_code}")
        self.detail = problem.get("detail", self.title)
        self.errors = problem.get("errors", [])
        self.request_id = problem.get("request_id", response.headers.get("X-Request-Id"))
        seconds = response.headers.get("Retry-After", "")
        self.retry_after = int(seconds) if seconds.isdecimal() else None
        super().__init__(self.detail)

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """Reads the body of an error response."""
        problem = None
        if response.headers.get("Content-Type", "").startswith("application/problem+json"):
            try:
                problem = response.json()
            except ValueError:
                pass
        return cls(response, problem if isinstance(problem, dict) else {})
