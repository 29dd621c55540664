#!/usr/bin/env bash
# cloudevents 2.2.0 of PyPI, binary mode: sends lists and booleans in Python's notation, and strings bare, as application/json.
#
# A gateway reads events in structured mode and sends them on in binary mode. One would guess that the body is the data in JSON, as
# it is for an object. Any other value is put through `str()`: a list of objects goes out with single quotes, true as `True`, a
# string without quotes. Read again by the same library, the list and true are strings, and the string "true" is a boolean.
# Extensions that are booleans go out as `True` too, where the specification's canonical form is `true`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check cloudevents==2.2.0

"$work/venv/bin/python" - <<'SCRIPT'
import json

from cloudevents.core.bindings import http

seen = {}
for data in ({"a": None}, [{"a": 1}], True, "true", "open"):
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/orders",
        "type": "order",
        "datacontenttype": "application/json",
        "urgent": True,
        "data": data,
    }
    received = http.HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(event).encode())
    sent = http.to_binary_event(http.from_structured_event(received))
    assert sent.headers["content-type"] == "application/json" and sent.headers["ce-urgent"] == "True"
    seen[json.dumps(data)] = (sent.body.decode(), http.from_binary_event(sent).get_data())

print("cloudevents 2.2.0; data of an application/json event, body in binary mode, data read from that")
print("guessed: body is the data, and data read is the data")
for data, (body, read) in seen.items():
    print(f"{data:14} {body:14} {read!r}")
assert seen == {
    '{"a": null}': ('{"a": null}', {"a": None}),
    '[{"a": 1}]': ("[{'a': 1}]", "[{'a': 1}]"),
    "true": ("True", "True"),
    '"true"': ("true", True),
    '"open"': ("open", "open"),
}
SCRIPT
