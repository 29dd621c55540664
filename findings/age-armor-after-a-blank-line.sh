#!/usr/bin/env bash
# age 0.12.1 of crates.io, which pyrage 1.4.0 wraps, does not recognize an armored file after a blank line.
#
# The specification of age asks readers to refuse armor that is not canonical, except for whitespace before and after the block. One would
# guess that all implementations accept a blank line at either end: armor is for text that is pasted. filippo.io/age 1.3.2 (Go) and
# age-encryption 0.3.1 (npm) do. The crate accepts it after the block only. With a blank line before the block it takes the text for a
# binary file and says "Header is invalid", as it does for a damaged file. The text has to be trimmed first.
#
# Needs Go, Node.js, Python 3 and the public registries.
set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
GOPATH="$work/go" GOBIN="$work" go install filippo.io/age/cmd/age@v1.3.2 filippo.io/age/cmd/age-keygen@v1.3.2 > log 2>&1 || { cat log; exit 1; }
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund age-encryption@0.3.1 > /dev/null
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyrage==1.4.0

./age-keygen 2> log > key
echo hello | ./age --armor --recipient "$(./age-keygen -y key)" > plain
{ echo; cat plain; } > before
{ cat plain; echo; } > after
cat > read.mjs <<'SCRIPT'
import { readFileSync } from 'node:fs';
import { Decrypter, armor } from 'age-encryption';

const decrypter = new Decrypter();
decrypter.addIdentity(readFileSync('key', 'utf8').trim().split('\n').pop());
process.stdout.write(await decrypter.decrypt(armor.decode(readFileSync(process.argv[2], 'utf8')), 'text'));
SCRIPT
cat > read.py <<'SCRIPT'
import sys

import pyrage

identity = pyrage.x25519.Identity.from_str(open("key").read().splitlines()[-1])
try:
    print(pyrage.decrypt(open(sys.argv[1], "rb").read(), [identity]).decode().strip())
except pyrage.DecryptError as error:
    print(error)
SCRIPT
seen=$(for file in plain after before; do
  echo "$file: $(./age --decrypt --identity key "$file" 2>&1), $(node read.mjs "$file"), $(venv/bin/python read.py "$file")"
done)
echo 'no blank line, one after the block, one before it: Go, npm, pyrage'
printf 'guessed: hello throughout\nseen:\n%s\n' "$seen"
[ "$seen" = 'plain: hello, hello, hello
after: hello, hello, hello
before: hello, hello, Header is invalid' ]
