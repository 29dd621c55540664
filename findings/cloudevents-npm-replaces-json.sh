#!/usr/bin/env bash
# cloudevents 10.0.0 of npm with CE_USE_BIG_INT=true replaces the global JSON of the whole process.
#
# The README offers the variable so that large integers in the data of events keep their digits. One would guess that the library
# parses events in another way and leaves the program alone. When it reads the first event it assigns json-bigint's object to the
# global `JSON`: from then on every other module gets BigInt for a large integer, objects without a prototype, errors that are no
# `Error`, a syntax error for a fraction of more than 15 digits, and BigInt that is written without complaint.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts cloudevents@10.0.0 > /dev/null

cat > try.cjs <<'SCRIPT'
const { HTTP } = require('cloudevents');
const own = JSON;
const tried = (what) => {
  try {
    return what();
  } catch (error) {
    return error instanceof Error ? error.name : 'something thrown that is no Error';
  }
};
const look = () =>
  console.log(
    JSON === own,
    tried(() => typeof JSON.parse('{"id":9007199254740993}').id),
    tried(() => JSON.parse('{"a":1}') instanceof Object),
    tried(() => JSON.parse('1.23456789012345678')),
    tried(() => JSON.parse('nope')),
    tried(() => JSON.stringify({ id: 1n })),
  );
look();
const headers = { 'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/a', 'ce-type': 'b' };
HTTP.toEvent({ headers, body: '{"a":1}' });
look();
SCRIPT

before='true number true 1.2345678901234567 SyntaxError TypeError'
after='false bigint false SyntaxError something thrown that is no Error {"id":1}'
seen=$(CE_USE_BIG_INT=true node try.cjs)
echo "cloudevents 10.0.0, the program's own JSON before and after one event"
printf 'guessed:\n%s\n%s\nseen:\n%s\n' "$before" "$before" "$seen"
[ "$seen" = "$before"$'\n'"$after" ]
[ "$(node try.cjs)" = "$before"$'\n'"$before" ]
