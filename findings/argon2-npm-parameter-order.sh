#!/usr/bin/env bash
# argon2 0.45.1 of npm writes the parameters in the order m, p, t. The format has m, t, p, and libargon2 reads nothing else.
#
# The PHC string format fixes the order of Argon2's parameters, and 0.44.0 kept to it. One would guess that a hash moves from Node to Python.
# But argon2-cffi 25.1.0, which is libargon2 and what Django uses, says "Decoding failed", and libpass 1.9.4 calls the hash
# malformed. Neither is the error of a wrong password. hash-wasm 4.13.0 of npm goes by the names and reads the hash, so a check
# against one library says little about the next. With t and p swapped in the text, the hash is good everywhere.
#
# Needs Node.js, Python 3 and the public registries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund argon2@npm:argon2@0.45.1 before@npm:argon2@0.44.0 hash-wasm@4.13.0 > /dev/null
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check argon2-cffi==25.1.0 libpass==1.9.4

cat > write.cjs <<'SCRIPT'
const options = { memoryCost: 1024, timeCost: 3, parallelism: 4 };
(async () => {
  const hash = await require('argon2').hash('correct horse', options);
  const before = await require('before').hash('correct horse', options);
  const read = await require('hash-wasm').argon2Verify({ password: 'correct horse', hash });
  console.log(hash);
  console.error(`0.44.0 writes ${before.split('$')[3]}; 0.45.1 writes ${hash.split('$')[3]}; hash-wasm reads it: ${read}`);
})();
SCRIPT
cat > read.py <<'SCRIPT'
import sys

import argon2
from passlib.hash import argon2 as libpass

hash = sys.stdin.read().strip()
start, version, parameters, salt, digest = hash.split("$")[1:]
memory, lanes, passes = parameters.split(",")
for name, text in ("as written", hash), ("t and p swapped", f"${start}${version}${memory},{passes},{lanes}${salt}${digest}"):
    for reader, verify in (
        ("argon2-cffi", lambda: argon2.PasswordHasher().verify(text, "correct horse")),
        ("libpass", lambda: libpass.verify("correct horse", text)),
    ):
        try:
            print(f"{name}, {reader}: {verify()}")
        except (argon2.exceptions.VerificationError, ValueError) as error:
            print(f"{name}, {reader}: {type(error).__name__}: {error}")
SCRIPT

node write.cjs > hash 2> order
seen="$(cat order)
$(venv/bin/python read.py < hash)"
printf 'guessed: m=1024,t=3,p=4 and True throughout\nseen:\n%s\n' "$seen"
[ "$seen" = '0.44.0 writes m=1024,t=3,p=4; 0.45.1 writes m=1024,p=4,t=3; hash-wasm reads it: true
as written, argon2-cffi: VerificationError: Decoding failed
as written, libpass: ValueError: malformed argon2 hash
t and p swapped, argon2-cffi: True
t and p swapped, libpass: True' ]
