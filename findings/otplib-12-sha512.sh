#!/usr/bin/env bash
# otplib 12.0.1 of npm computes SHA-512 codes that no authenticator shows, and otplib 13.5.0 does not accept them.
#
# RFC 6238 uses the shared secret as the HMAC key as it is. The longer seeds of its SHA-256 and SHA-512 test vectors are a choice of its
# example. One would guess that a secret of 20 bytes has one code for each algorithm and time. otplib 12.0.1 repeats a shorter secret until
# it is as long as the hash. So it reproduces the RFC's vectors from the shortest seed, but an authenticator that reads the URI from
# its own `keyuri` shows other codes. It counts hexadecimal digits where it wants bytes, so SHA-256 is right with 20 bytes and
# wrong with 10, the length that its `generateSecret` makes.
#
# Needs Node.js, Python 3 and the public registries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund before@npm:otplib@12.0.1 otplib@13.5.0 otpauth@9.5.2 > /dev/null
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyotp==2.12.1

cat > codes.mjs <<'SCRIPT'
import before from 'before';
import { generate } from 'otplib';
import { URI } from 'otpauth';

// 20 bytes: the digits 1 to 9 and 0, twice, which is the shortest seed of RFC 6238, appendix B.
const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
for (const algorithm of ['sha1', 'sha256', 'sha512']) {
  before.authenticator.options = { algorithm, digits: 8, epoch: 59_000 };
  const uri = before.authenticator.keyuri('ada', 'Acme', secret);
  const codes = [
    before.authenticator.generate(secret),
    await generate({ secret, algorithm, digits: 8, epoch: 59 }),
    URI.parse(uri).generate({ timestamp: 59_000 }),
  ];
  console.log(algorithm, ...codes);
}
before.authenticator.options = { algorithm: 'sha256', digits: 8, epoch: 59_000 };
const short = 'GEZDGNBVGY3TQOJQ';
const shown = URI.parse(before.authenticator.keyuri('ada', 'Acme', short)).generate({ timestamp: 59_000 });
console.log(`sha256, 10 bytes: ${before.authenticator.generate(short)} - ${shown}`);
SCRIPT
seen="$(node codes.mjs)
pyotp: $(venv/bin/python -c '
import hashlib, pyotp
for digest in hashlib.sha1, hashlib.sha256, hashlib.sha512:
    print(pyotp.TOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", digits=8, digest=digest).at(59))' | xargs)"
echo 'codes at 59 s: otplib 12.0.1, otplib 13.5.0, otpauth 9.5.2 from the URI of 12.0.1; then pyotp 2.12.1'
printf 'guessed: each line has one code\nseen:\n%s\n' "$seen"
[ "$seen" = 'sha1 94287082 94287082 94287082
sha256 32247374 32247374 32247374
sha512 90693936 69342147 69342147
sha256, 10 bytes: 46119246 - 80884928
pyotp: 94287082 32247374 69342147' ]
