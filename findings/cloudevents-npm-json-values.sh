#!/usr/bin/env bash
# cloudevents 10.0.0 of npm and events whose data is JSON, but no object: much of it is lost or becomes text.
#
# Any JSON value may be data of a CloudEvent. One would guess that `HTTP.toEvent` hands over the value that was sent, in each mode.
# - Structured mode drops `0`, `false`, `null` and "": the event that comes out has no data, and is sent on so. A batch keeps them.
# - Binary mode makes strings of numbers, true and null: `5` arrives as "5".
# - Binary mode throws a syntax error for an object after a line break, which JSON allows.
# So data had better be an object, written without space before it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts cloudevents@10.0.0 > /dev/null

cat > try.cjs <<'SCRIPT'
const { HTTP } = require('cloudevents');
const event = { specversion: '1.0', id: '1', source: '/orders', type: 'order', time: '2026-01-02T03:04:05Z' };
const read = (type, headers, body) => HTTP.toEvent({ headers: { 'content-type': type, ...headers }, body });
const ways = {
  structured: (json) => read('application/cloudevents+json', {}, `{${JSON.stringify(event).slice(1, -1)},"data":${json}}`),
  batch: (json) => read('application/cloudevents-batch+json', {}, `[{${JSON.stringify(event).slice(1, -1)},"data":${json}}]`)[0],
  binary: (json) => {
    const headers = Object.fromEntries(Object.entries(event).map(([name, value]) => [`ce-${name}`, value]));
    return read('application/json', headers, json);
  },
};
for (const [way, through] of Object.entries(ways)) {
  const seen = ['0', 'false', '""', '5', 'true', 'null', '{"a":1}', '\n{"a":1}'].map((json) => {
    try {
      const { data } = through(json);
      return data === undefined ? 'nothing' : JSON.stringify(data);
    } catch (error) {
      return error.name;
    }
  });
  console.log(`${way}: ${seen.join(' ')}`);
}
SCRIPT

seen=$(node try.cjs)
expected='structured: nothing nothing nothing 5 true nothing {"a":1} {"a":1}
batch: 0 false "" 5 true null {"a":1} {"a":1}
binary: "0" "false" "" "5" "true" "null" {"a":1} SyntaxError'
printf 'cloudevents 10.0.0; sent:  0 false "" 5 true null {"a":1} and the same after a line break\nguessed: the same in each mode\n'
printf 'seen:\n%s\n' "$seen"
[ "$seen" = "$expected" ]
