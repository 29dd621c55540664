#!/usr/bin/env bash
# cloudevents 10.0.0 of npm and 2.2.0 of PyPI give an event without `time` one, when they read it.
#
# `time` is optional, and a program that makes an event is glad of the present moment as a default. One would guess that a received
# event keeps what its producer said, or did not say. Both fill in the moment of reading: a message that is delivered again becomes
# another event, which compares and hashes differently, and whoever passes it on states a time that nobody measured. The one of npm
# puts the moment of reading also in place of a leap second, which RFC 3339 allows and JavaScript's Date cannot parse.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cloudevents==2.2.0
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts cloudevents@10.0.0 > /dev/null

cat > try.cjs <<'SCRIPT'
const { HTTP } = require('cloudevents');
const start = Date.now();
for (const time of [{}, { time: '2016-12-31T23:59:60Z' }]) {
  const body = JSON.stringify({ specversion: '1.0', id: '1', source: '/orders', type: 'order', ...time });
  const event = HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body });
  const sent = JSON.parse(HTTP.structured(event).body).time;
  console.log('npm', time.time ?? 'none', Date.parse(sent) >= start ? 'now' : sent ?? 'none');
}
SCRIPT
cat > try.py <<'SCRIPT'
import json
from datetime import datetime, timezone

from cloudevents.core.bindings import http

start = datetime.now(timezone.utc)
body = json.dumps({"specversion": "1.0", "id": "1", "source": "/orders", "type": "order"}).encode()
event = http.from_structured_event(http.HTTPMessage({"content-type": "application/cloudevents+json"}, body))
sent = json.loads(http.to_structured_event(event).body).get("time")
print("PyPI", "none", "now" if sent and datetime.fromisoformat(sent) >= start else sent)
SCRIPT

seen=$(node try.cjs; venv/bin/python try.py)
echo 'cloudevents 10.0.0 of npm and 2.2.0 of PyPI: time as received, as sent on'
printf 'guessed:\nnpm none none\nnpm 2016-12-31T23:59:60Z 2016-12-31T23:59:60Z, or an error\nPyPI none none\nseen:\n%s\n' "$seen"
[ "$seen" = 'npm none now
npm 2016-12-31T23:59:60Z now
PyPI none now' ]
