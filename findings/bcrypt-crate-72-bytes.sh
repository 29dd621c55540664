#!/usr/bin/env bash
# bcrypt 0.19.3 of crates.io: the functions that do not truncate refuse a password of 72 bytes, which bcrypt uses in full.
#
# The documentation says that `non_truncating_hash` and `non_truncating_verify` differ from the others if the password is longer than 72 bytes.
# One would guess that 72 bytes are accepted, as they are by bcrypt 5.0.0 of PyPI, which refuses longer passwords, too. The crate
# counts the zero byte at the end, so its limit is 71 bytes, and its error says 73. After a move from Python to Rust a user with a password of
# 72 bytes cannot sign in.
#
# Needs Rust, Python 3 and the public registries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bcrypt==5.0.0

cat > lengths.py <<'SCRIPT'
import bcrypt

for length in 71, 72, 73:
    try:
        print(bcrypt.hashpw(b"a" * length, bcrypt.gensalt(4)).decode())
    except ValueError:
        print("refused")
SCRIPT
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "lengths"
version = "0.0.0"
edition = "2024"

[dependencies]
bcrypt = "=0.19.3"
TOML
cat > src/main.rs <<'RUST'
fn main() {
    for (length, hash) in (71..).zip(std::io::stdin().lines()) {
        let (password, hash) = ("a".repeat(length), hash.expect("a line"));
        if hash != "refused" {
            let checked = (bcrypt::verify(&password, &hash), bcrypt::non_truncating_verify(&password, &hash));
            println!("{length} bytes: verify {:?}, non_truncating_verify {:?}", checked.0, checked.1);
        }
    }
}
RUST
cargo build --quiet
venv/bin/python lengths.py > hashes
echo "bcrypt 5.0.0 of PyPI on 71, 72 and 73 bytes: $(cut -c 1-7 hashes | xargs)"
seen=$(cargo run --quiet < hashes)
printf 'guessed: Ok(true) throughout\nseen, bcrypt 0.19.3 of crates.io:\n%s\n' "$seen"
[ "$(sed -n 3p hashes)" = refused ]
[ "$seen" = '71 bytes: verify Ok(true), non_truncating_verify Ok(true)
72 bytes: verify Ok(true), non_truncating_verify Err(Truncation(73))' ]
