"""Waiting for a condition with a deadline; nothing here sleeps and hopes."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Far longer than anything takes, so that only what never happens runs into it.
PATIENCE = 60.0


def eventually(what: str, condition: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """The first true answer of `condition`."""
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain for {what}")
        time.sleep(0.1)
    return answer
