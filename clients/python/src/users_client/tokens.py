"""The tokens of a session, and where they are stored."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Tokens:
    """The tokens of a session."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    """When the access token expires, in seconds since 1970."""


class TokenStore(Protocol):
    """Where the tokens of one session are stored. Each method may be called from any thread.

    `clear` is called after a sign-out, and when the service says that the session has ended.
    """

    def get(self) -> Tokens | None: ...

    def set(self, tokens: Tokens) -> None: ...

    def clear(self) -> None: ...


class MemoryTokenStore:
    """Keeps the tokens until the process ends."""

    def __init__(self) -> None:
        self._tokens: Tokens | None = None

    def get(self) -> Tokens | None:
        return self._tokens

    def set(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def clear(self) -> None:
        self._tokens = None
