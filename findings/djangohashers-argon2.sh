#!/usr/bin/env bash
# djangohashers 1.8.4 of crates.io and Django 6.1.3 do not accept each other's Argon2 hashes.
#
# The crate's README says that it passes the relevant tests of Django 1.4 to 6.0, and it names its hashes "argon2id" as Django does. One would
# guess that a service in Rust can check the passwords of a Django database with it, and with PBKDF2 it can. For Argon2 it computes
# Argon2i whatever variant the string names, so the right password is wrong. Where the hash has a slash, it reports an invalid
# salt: it decodes the hash by the alphabet for URLs and replaces only the plus. For the same reason Django refuses what
# the crate writes.
#
# Needs Rust, Python 3.12 or later (PYTHON names it) and the public registries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { echo 'Django 6.1 needs Python 3.12: PYTHON=python3.12'; exit 1; }
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check django==6.1.3 argon2-cffi==25.1.0

cat > django_hashes.py <<'SCRIPT'
import sys

from django.conf import settings

settings.configure(PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("Argon2", "PBKDF2")])
from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher, check_password


class Quick(Argon2PasswordHasher):
    time_cost, memory_cost, parallelism = 1, 1024, 1


if sys.argv[1] == "write":
    print(PBKDF2PasswordHasher().encode("correct horse", "saltsaltsaltsaltsaltsa", iterations=1000))
    hashes = [Quick().encode("correct horse", f"saltsaltsaltsaltsalt{n}") for n in range(10, 60)]
    assert all(check_password("correct horse", hash) for hash in hashes)
    # What follows the last "$" is the hash: the first that has neither sign of the standard alphabet, and the first with a slash.
    print(next(hash for hash in hashes if not set("+/") & set(hash.rsplit("$", 1)[1])))
    print(next(hash for hash in hashes if "/" in hash.rsplit("$", 1)[1]))
else:
    print(check_password("correct horse", sys.argv[2]))
SCRIPT
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "hashes"
version = "0.0.0"
edition = "2024"

[dependencies]
djangohashers = { version = "=1.8.4", default-features = false, features = ["with_argon2", "with_pbkdf2"] }
TOML
cat > src/main.rs <<'RUST'
use djangohashers::{Algorithm, check_password, make_password_with_algorithm};

fn main() {
    for (name, line) in ["PBKDF2", "Argon2", "Argon2 with a slash"].into_iter().zip(std::io::stdin().lines()) {
        println!("{name}: {:?}", check_password("correct horse", &line.expect("a line")));
    }
    eprint!("{}", make_password_with_algorithm("correct horse", Algorithm::Argon2));
}
RUST
cargo build --quiet
venv/bin/python django_hashes.py write > hashes
seen="$(cargo run --quiet < hashes 2> own)
and back, $(cut -d '$' -f 2 own): $(venv/bin/python django_hashes.py read "$(cat own)")"
printf 'djangohashers 1.8.4 on hashes of Django 6.1.3\nguessed: Ok(true) of each, and True\nseen:\n%s\n' "$seen"
[ "$seen" = 'PBKDF2: Ok(true)
Argon2: Ok(false)
Argon2 with a slash: Err(InvalidArgon2Salt)
and back, argon2id: False' ]
