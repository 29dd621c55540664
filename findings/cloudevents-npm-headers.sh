#!/usr/bin/env bash
# cloudevents 10.0.0 of npm and the headers of binary mode: extensions in capitals get lost, and percent-encoding stays.
#
# Names of headers have no case, and `HTTP.toEvent` finds `Ce-Id` and `Ce-Subject` as well as `ce-id`. One would guess the same of
# extensions. Node's server writes them small, but an API Gateway (REST) hands a function the names as the client wrote them, and
# then `Ce-Sequence` is missing from the event without a word.
# The HTTP binding has values with spaces or beyond ASCII percent-encoded, and a receiver decode them. cloudevents 2.2.0 of PyPI
# does both; this one does neither, so a subject from there arrives in code, and its own headers are refused by Node's client.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cloudevents==2.2.0
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts cloudevents@10.0.0 > /dev/null

venv/bin/python - > sent.json <<'SCRIPT'
import json

from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent

attributes = {"id": "1", "source": "/orders", "type": "order", "subject": "5 € open", "sequence": "7"}
message = http.to_binary_event(CloudEvent(attributes, {"a": 1}))
assert http.from_binary_event(message).get_subject() == "5 € open"
print(json.dumps(message.headers))
SCRIPT

cat > try.cjs <<'SCRIPT'
const { HTTP, CloudEvent } = require('cloudevents');
const sent = JSON.parse(require('fs').readFileSync('sent.json'));
const capitals = (name) => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
for (const written of [(name) => name, capitals]) {
  const headers = Object.fromEntries(Object.entries(sent).map(([name, value]) => [written(name), value]));
  const event = HTTP.toEvent({ headers, body: '{"a":1}' });
  console.log(`${written('ce-id')}: ${event.id}, ${event.subject}, ${event.sequence}`);
}
const { headers } = HTTP.binary(new CloudEvent({ id: '1', source: '/orders', type: 'order', subject: '5 € open', data: {} }));
try {
  require('http').validateHeaderValue('ce-subject', headers['ce-subject']);
  console.log('sent on');
} catch (error) {
  console.log(error.code);
}
SCRIPT

seen=$(node try.cjs)
echo "cloudevents 10.0.0 of npm, an event from cloudevents 2.2.0 of PyPI: id, subject, sequence; then its own headers in Node"
printf 'guessed:\nce-id: 1, 5 € open, 7\nCe-Id: 1, 5 € open, 7\nsent on\nseen:\n%s\n' "$seen"
[ "$seen" = 'ce-id: 1, 5%20%E2%82%AC%20open, 7
Ce-Id: 1, 5%20%E2%82%AC%20open, undefined
ERR_INVALID_CHAR' ]
