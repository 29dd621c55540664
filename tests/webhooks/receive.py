"""Verifies the deliveries of a file with the library `standardwebhooks` of PyPI."""

import json
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from standardwebhooks import Webhook, WebhookVerificationError

# Seconds by which a message may be off, and one more.
TOO_OLD = 5 * 60 + 1
# A secret of no delivery.
OTHER = "whsec_" + 43 * "A" + "="

# What the library says.
NOT_SIGNED = "No matching signature found"
OLD = "Message timestamp too old"


def answer(hook: Webhook, body: bytes, headers: dict[str, str]) -> str:
    try:
        hook.verify(body, headers)
    except WebhookVerificationError as error:
        return str(error)
    return "accepted"


def problems(delivery: dict) -> list[str]:
    headers, body = delivery["headers"], delivery["body"].encode()
    id, sent = headers["webhook-id"], int(headers["webhook-timestamp"])
    found = []

    def expect(what: str, expected: str, hook: Webhook, body: bytes, headers: dict[str, str]) -> None:
        if (answered := answer(hook, body, headers)) != expected:
            found.append(f"{what}: {answered}")

    for number, secret in enumerate(delivery["secrets"], 1):
        hook = Webhook(secret)
        signature, old_signature = (
            hook.sign(id, datetime.fromtimestamp(time, timezone.utc), delivery["body"]) for time in (sent, sent - TOO_OLD)
        )
        if signature not in headers["webhook-signature"].split(" "):
            found.append(f"secret {number}: the library signs it as {signature}")
        expect(f"secret {number}", "accepted", hook, body, headers)
        expect(f"secret {number}, a changed body", NOT_SIGNED, hook, body + b" ", headers)
        # Signed correctly, so that only its age is wrong.
        old = headers | {"webhook-timestamp": str(sent - TOO_OLD), "webhook-signature": old_signature}
        expect(f"secret {number}, an old message", OLD, hook, body, old)
    expect("another secret", NOT_SIGNED, Webhook(OTHER), body, headers)
    return found


def main() -> None:
    deliveries = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").split("\n") if line]
    failed = [(delivery["headers"]["webhook-id"], found) for delivery in deliveries if (found := problems(delivery))]
    for id, found in failed:
        print(id, *found, sep="\n  ", file=sys.stderr)
    accepted = len(deliveries) - len(failed)
    print(f"PyPI's standardwebhooks {version('standardwebhooks')} accepts {accepted} of {len(deliveries)} deliveries")
    sys.exit(bool(failed) or not deliveries)


main()
