#!/usr/bin/env bash
# webauthn-rs 0.6.2 allows a passkey to become eligible for backup after it was registered, in `start_passkey_authentication`
# (`allow_backup_eligible_upgrade` of webauthn-rs-core). One would guess that this covers a passkey that was registered as bound to
# its device (flags 0x45: BE=0, BS=0) and has been synchronised since. It covers the first half only: an assertion that says that
# the passkey may be backed up (0x0d: BE=1, BS=0) is taken, while one that says that it is backed up as well (0x1d: BE=1, BS=1) is
# refused with CredentialMayNotBeHardwareBound, because BS is compared with the BE that was stored, not with the BE beside it.
# Passkeys that go straight from 0x45 to 0x1d, as they do in synchronised keychains, can therefore not sign in; taking 0x0d first
# and storing the update makes 0x1d good. No outside input is needed: the script makes the key and signs itself.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
base64 = "=0.22.1"
p256 = { version = "=0.13.2", features = ["ecdsa"] }
serde_cbor_2 = "=0.13.0"
serde_json = "1"
sha2 = "=0.10.9"
url = "2"
uuid = "1"
webauthn-rs = { version = "=0.6.2", default-features = false }
TOML
cat > src/main.rs <<'RUST'
use base64::{engine::general_purpose::URL_SAFE_NO_PAD as B64, Engine};
use p256::ecdsa::{signature::Signer, Signature, SigningKey};
use serde_cbor_2::Value as Cbor;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use webauthn_rs::prelude::*;

fn client_data(kind: &str, challenge: &Value) -> String {
    json!({ "type": kind, "challenge": challenge, "origin": "https://example.com" }).to_string()
}

fn data(flags: u8) -> Vec<u8> {
    let mut data = Sha256::digest("example.com").to_vec();
    data.push(flags);
    data.extend([0; 4]);
    data
}

fn main() {
    let origin = Url::parse("https://example.com").unwrap();
    let party = WebauthnBuilder::new("example.com", &origin).unwrap().build().unwrap();
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let point = key.verifying_key().to_encoded_point(false);
    let number = |n| Cbor::Integer(n);
    let cose = Cbor::Map([
        (number(1), number(2)), (number(3), number(-7)), (number(-1), number(1)),
        (number(-2), Cbor::Bytes(point.x().unwrap().to_vec())), (number(-3), Cbor::Bytes(point.y().unwrap().to_vec())),
    ].into());

    let (options, state) = party.start_passkey_registration(Uuid::nil(), "ada", "Ada", None).unwrap();
    let options = serde_json::to_value(&options.public_key).unwrap();
    let mut made = data(0x45);
    made.extend([0; 16]);
    made.extend([0, 4]);
    made.extend(b"cred");
    made.extend(serde_cbor_2::to_vec(&cose).unwrap());
    let attestation = Cbor::Map([
        (Cbor::Text("fmt".into()), Cbor::Text("none".into())),
        (Cbor::Text("attStmt".into()), Cbor::Map([].into())),
        (Cbor::Text("authData".into()), Cbor::Bytes(made)),
    ].into());
    let id = B64.encode("cred");
    let credential = json!({ "id": id, "rawId": id, "type": "public-key", "response": {
        "clientDataJSON": B64.encode(client_data("webauthn.create", &options["challenge"])),
        "attestationObject": B64.encode(serde_cbor_2::to_vec(&attestation).unwrap()),
    }});
    let registered = party.finish_passkey_registration(&serde_json::from_value(credential).unwrap(), &state).unwrap();

    let assert = |passkey: &Passkey, flags: u8| {
        let (options, state) = party.start_passkey_authentication(std::slice::from_ref(passkey)).unwrap();
        let options = serde_json::to_value(&options.public_key).unwrap();
        let client = client_data("webauthn.get", &options["challenge"]);
        let mut signed = data(flags);
        let authenticator = B64.encode(&signed);
        signed.extend(Sha256::digest(&client));
        let signature: Signature = key.sign(&signed);
        let credential = json!({ "id": id, "rawId": id, "type": "public-key", "response": {
            "clientDataJSON": B64.encode(&client), "authenticatorData": authenticator,
            "signature": B64.encode(signature.to_der()), "userHandle": null,
        }});
        party.finish_passkey_authentication(&serde_json::from_value(credential).unwrap(), &state)
    };
    let eligible = assert(&registered, 0x0d);
    println!("0x45, then 0x0d: {}", eligible.as_ref().map_or_else(|error| format!("{error:?}"), |_| "taken".into()));
    let direct = assert(&registered, 0x1d);
    println!("0x45, then 0x1d: {}", direct.as_ref().map_or_else(|error| format!("{error:?}"), |_| "taken".into()));
    let mut updated = registered.clone();
    updated.update_credential(eligible.as_ref().expect("0x0d is taken"));
    let after = assert(&updated, 0x1d);
    println!("0x45, then 0x0d, stored, then 0x1d: {}", after.as_ref().map_or_else(|error| format!("{error:?}"), |_| "taken".into()));
    let as_seen = matches!(direct, Err(WebauthnError::CredentialMayNotBeHardwareBound)) && after.is_ok();
    std::process::exit(if as_seen { 0 } else { 1 });
}
RUST
cargo build --quiet
echo "webauthn-rs $(cargo tree --quiet --depth 1 --prefix none | sed -n 's/^webauthn-rs v//p')"
echo "guessed: with the upgrade allowed, 0x45 and then 0x1d is taken as 0x0d is"
echo "seen:"
if RUST_LOG=off ./target/debug/finding 2> /dev/null; then
  echo "as described"
else
  echo "the behaviour has changed" >&2
  exit 1
fi
