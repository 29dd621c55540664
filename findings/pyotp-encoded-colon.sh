#!/usr/bin/env bash
# pyotp 2.12.1 reads the issuer as a part of the account name if the colon between them is percent-encoded.
#
# The Key URI Format allows both ":" and "%3A" as the separator in the label, and no colon within issuer or name. One would guess that
# `parse_uri` finds issuer and name in either form, as otpauth 9.5.2 of npm does. pyotp splits the label before it decodes it. The name
# becomes "Acme:ada", and the URI that pyotp writes for it has the issuer twice. If only the label has the issuer, the result has
# none.
#
# Needs Node.js, Python 3 and the public registries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund otpauth@9.5.2 > /dev/null
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyotp==2.12.1

secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
cat > uris <<URIS
otpauth://totp/Acme:ada?secret=$secret&issuer=Acme
otpauth://totp/Acme%3Aada?secret=$secret&issuer=Acme
otpauth://totp/Acme%3Aada?secret=$secret
URIS
cat > read.mjs <<'SCRIPT'
import { readFileSync } from 'node:fs';
import { URI } from 'otpauth';

for (const uri of readFileSync('uris', 'utf8').trim().split('\n')) {
  const { label, issuer } = URI.parse(uri);
  console.log(label, issuer);
}
SCRIPT
cat > read.py <<'SCRIPT'
import pyotp

for uri in open("uris"):
    factor = pyotp.parse_uri(uri.strip())
    print(factor.name, factor.issuer, factor.provisioning_uri().split("?")[0])
SCRIPT
guessed=$(node read.mjs)
seen=$(venv/bin/python read.py)
printf 'name and issuer of:\n%s\nguessed, as otpauth 9.5.2 reads them:\n%s\nseen, pyotp 2.12.1, and the label it writes:\n%s\n' \
  "$(cat uris)" "$guessed" "$seen"
[ "$guessed" = 'ada Acme
ada Acme
ada Acme' ]
[ "$seen" = 'ada Acme otpauth://totp/Acme:ada
Acme:ada Acme otpauth://totp/Acme:Acme%3Aada
Acme:ada None otpauth://totp/Acme%3Aada' ]
