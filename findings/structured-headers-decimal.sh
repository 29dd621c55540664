#!/usr/bin/env bash
# structured-headers 2.1.0 of npm writes "60." of 59.9999: a number that no parser of structured fields takes, not its own either.
#
# RFC 9651, 4.1.5, rounds a decimal to three digits and writes at least one. One would guess "60.0" (as http_sf 1.5.0 of PyPI writes),
# or "60". The zeros are cut off and the point stays, for every fraction that rounds to nothing: one in a thousand of measured
# durations or quotas. A field with such a number is ignored as a whole by who receives it, with all its other members.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts structured-headers@2.1.0 > /dev/null

cat > try.mjs <<'SCRIPT'
import { parseItem, parseList, serializeItem, serializeList } from 'structured-headers';
const read = (parse, text) => {
  try {
    parse(text);
    return 'read';
  } catch (error) {
    return error.message;
  }
};
for (const number of [59.75, 59.9999, 0.0001]) {
  const text = serializeItem(number);
  console.log(`${number}: ${text} ${read(parseItem, text)}`);
}
const field = serializeList([['default', new Map([['r', 12], ['t', 59.9999]])]]);
console.log(`${field} ${read(parseList, field)}`);
SCRIPT

seen=$(node try.mjs)
echo "structured-headers 2.1.0: number, as written, and read again"
printf 'guessed:\n59.75: 59.75 read\n59.9999: 60.0 read\n0.0001: 0.0 read\n"default";r=12;t=60.0 read\nseen:\n%s\n' "$seen"
[ "$seen" = '59.75: 59.75 read
59.9999: 60. Parse error: Decimal cannot end on a period at offset 3
0.0001: 0. Parse error: Decimal cannot end on a period at offset 2
"default";r=12;t=60. Parse error: Decimal cannot end on a period at offset 20' ]
