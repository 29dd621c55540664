#!/usr/bin/env bash
# email-encoding 0.4.2, which writes the headers of lettre: a display name with a period and no space is not quoted.
#
# One would guess that `headers::quoted_string::encode`, "for a string that may need to be quoted", makes a phrase of RFC 5322
# of any name. A phrase is of atoms and quoted strings, and an atom has no period: `Acme.com` has to be `"Acme.com"`. It comes
# out bare, the obsolete syntax that RFC 5322, 4.1 says must not be generated; the parser of Python's standard library reports
# it as a defect. With a space (`Acme.com Tools`) it is quoted. A comma or a colon makes it leave quotes for base64, where
# quotes would do.
#
# Prints what is written; fails when the bare period is gone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "phrase"
version = "0.0.0"
edition = "2024"

[dependencies]
email-encoding = "=0.4.2"
TOML
cat > src/main.rs <<'RUST'
use email_encoding::headers::{quoted_string, writer::EmailWriter};

fn main() {
    for name in ["Acme.com", "Acme.com Tools", "Smith, Sons", "Acme"] {
        let mut written = String::new();
        quoted_string::encode(name, &mut EmailWriter::new(&mut written, 0, 0, false)).unwrap();
        println!("{name}\t{written}");
    }
}
RUST
echo "guess: every name comes out as a phrase of RFC 5322, so Acme.com in quotes"
cargo run --quiet > written
cat written
python3 - <<'PYTHON'
from email import policy
from email.parser import Parser

written = dict(line.rstrip("\n").split("\t") for line in open("written", encoding="utf-8"))
defects = {}
for name, phrase in written.items():
    header = Parser(policy=policy.default).parsestr(f"From: {phrase} <a@example.com>\n\n")["From"]
    defects[name] = [str(defect) for defect in header.defects]
print(defects)
bare = written["Acme.com"] == "Acme.com" and any("period" in defect for defect in defects["Acme.com"])
raise SystemExit(0 if bare else "the period is quoted now, or is no defect any more")
PYTHON
