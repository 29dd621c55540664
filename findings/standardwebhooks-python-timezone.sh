#!/usr/bin/env bash
# standardwebhooks 1.1.0 of PyPI signs the digits of a datetime's clock and ignores its time zone.
#
# `Webhook.sign` takes a `datetime`. One would guess that two that name the same instant are signed alike, and that the header
# `webhook-timestamp` is `int(moment.timestamp())`. The zone is replaced by UTC, not converted: a moment in Berlin is signed as one
# or two hours later, and a receiver, also this library itself, finds no matching signature. A `datetime` without a zone, which
# Python takes for local time, counts as UTC. svix 2.9.1 of PyPI signs by this library and inherits it. So only UTC goes in.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==1.1.0

"$work/venv/bin/python" - <<'SCRIPT'
import base64
from datetime import datetime, timedelta, timezone

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook("whsec_" + base64.b64encode(bytes(24)).decode())
utc = datetime.now(timezone.utc)
seen = {}
for name, moment in {"UTC": utc, "UTC+2": utc.astimezone(timezone(timedelta(hours=2)))}.items():
    assert moment == utc
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": webhook.sign("msg_1", moment, "{}"),
    }
    try:
        webhook.verify("{}", headers)
        seen[name] = "verified"
    except WebhookVerificationError as error:
        seen[name] = str(error)
two_hours_on = webhook.sign("msg_1", utc + timedelta(hours=2), "{}")
print("standardwebhooks 1.1.0, one instant in two zones, signed and verified")
print("guessed:", {"UTC": "verified", "UTC+2": "verified"})
print("seen:   ", seen)
assert seen == {"UTC": "verified", "UTC+2": "No matching signature found"}
assert webhook.sign("msg_1", utc.astimezone(timezone(timedelta(hours=2))), "{}") == two_hours_on
SCRIPT
