#!/usr/bin/env bash
# argon2 0.6.0 of crates.io takes a hash without `v=` for version 1.3. libargon2 takes it for version 1.0.
#
# Argon2 got the field with version 1.3, so a string without it is older. libargon2, and with it argon2-cffi 25.1.0 and Django, computes such
# a hash by version 1.0. One would guess that the crate does the same or refuses the string. It uses its own default, which is the
# newest version: each password with such a hash is "invalid", and nothing says why. With `v=16` added to the text the
# crate and libargon2 agree.
#
# Needs Rust, Python 3 and the public registries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check argon2-cffi==25.1.0

venv/bin/python - > hashes <<'SCRIPT'
from argon2 import PasswordHasher, Type
from argon2.low_level import hash_secret

for version, field in (0x10, "$v=16"), (0x13, "$v=19"):
    costs = {"time_cost": 2, "memory_cost": 1024, "parallelism": 1, "hash_len": 32, "type": Type.I, "version": version}
    text = hash_secret(b"correct horse", b"saltsaltsaltsalt", **costs).decode()
    print(text)
    print(text.replace(field, ""))
SCRIPT
cat > read.py <<'SCRIPT'
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

for text in open("hashes"):
    try:
        print(PasswordHasher().verify(text.strip(), "correct horse"))
    except VerifyMismatchError as error:
        print(error)
SCRIPT
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "version"
version = "0.0.0"
edition = "2024"

[dependencies]
argon2 = { version = "=0.6.0", default-features = false, features = ["alloc", "password-hash"] }
TOML
cat > src/main.rs <<'RUST'
use argon2::Argon2;
use argon2::password_hash::{PasswordVerifier, phc::PasswordHash};

fn main() {
    for line in std::io::stdin().lines() {
        let line = line.expect("a line");
        let hash = PasswordHash::new(&line).expect("a PHC string");
        match Argon2::default().verify_password(b"correct horse", &hash) {
            Ok(()) => println!("True"),
            Err(error) => println!("{error}"),
        }
    }
}
RUST
cargo build --quiet
echo 'the hash is version 1.0 with v=16, the same without, version 1.3 with v=19, the same without'
guessed=$(venv/bin/python read.py)
seen=$(cargo run --quiet < hashes)
printf 'guessed, as argon2-cffi 25.1.0 answers:\n%s\nseen, argon2 0.6.0 of crates.io:\n%s\n' "$guessed" "$seen"
[ "$guessed" = 'True
True
True
The password does not match the supplied hash' ]
[ "$seen" = 'True
invalid password
True
True' ]
