#!/usr/bin/env bash
# webauthn-rs 0.6.2 reads `response.transports` of a new credential, and its options for a sign-in have a member `transports` for
# each credential (5.8.3 of WebAuthn asks to send back what `getTransports()` said). One would guess that the one becomes the other.
# It does so for attestation in the formats `packed` and `tpm` alone. `start_passkey_registration` asks for no attestation, so
# browsers send the format `none`: the transports are dropped without a word, and the options of every later sign-in come
# without. Browsers then ask the person where the passkey is. Transports have to be kept beside the credential.
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
use p256::ecdsa::SigningKey;
use serde_cbor_2::Value as Cbor;
use serde_json::json;
use sha2::{Digest, Sha256};
use webauthn_rs::prelude::*;

fn main() {
    let origin = Url::parse("https://example.com").unwrap();
    let party = WebauthnBuilder::new("example.com", &origin).unwrap().build().unwrap();
    let (options, state) = party.start_passkey_registration(Uuid::nil(), "ada", "Ada", None).unwrap();
    let options = serde_json::to_value(&options.public_key).unwrap();

    let point = SigningKey::from_slice(&[7; 32]).unwrap().verifying_key().to_encoded_point(false);
    let number = |n| Cbor::Integer(n);
    let cose = Cbor::Map([
        (number(1), number(2)), (number(3), number(-7)), (number(-1), number(1)),
        (number(-2), Cbor::Bytes(point.x().unwrap().to_vec())), (number(-3), Cbor::Bytes(point.y().unwrap().to_vec())),
    ].into());
    let mut data = Sha256::digest("example.com").to_vec();
    data.extend([0x45, 0, 0, 0, 0]);
    data.extend([0; 16]);
    data.extend([0, 4]);
    data.extend(b"cred");
    data.extend(serde_cbor_2::to_vec(&cose).unwrap());
    let attestation = Cbor::Map([
        (Cbor::Text("fmt".into()), Cbor::Text("none".into())),
        (Cbor::Text("attStmt".into()), Cbor::Map([].into())),
        (Cbor::Text("authData".into()), Cbor::Bytes(data)),
    ].into());
    let client = json!({ "type": "webauthn.create", "challenge": options["challenge"], "origin": "https://example.com" });
    let id = B64.encode("cred");
    let credential = json!({ "id": id, "rawId": id, "type": "public-key", "response": {
        "clientDataJSON": B64.encode(client.to_string()),
        "attestationObject": B64.encode(serde_cbor_2::to_vec(&attestation).unwrap()),
        "transports": ["usb", "nfc"],
    }});
    let passkey = party.finish_passkey_registration(&serde_json::from_value(credential).unwrap(), &state).unwrap();
    let (options, _) = party.start_passkey_authentication(&[passkey]).unwrap();
    let allowed = serde_json::to_value(&options.public_key).unwrap()["allowCredentials"][0].clone();
    println!("registered with transports [\"usb\",\"nfc\"]; then allowed: {allowed}");
    std::process::exit(if allowed["id"] == json!(id) && allowed.get("transports").is_none_or(|it| it.is_null()) { 0 } else { 1 });
}
RUST
cargo build --quiet
echo "webauthn-rs $(cargo tree --quiet --depth 1 --prefix none | sed -n 's/^webauthn-rs v//p')"
echo "guessed: the options of the next sign-in name usb and nfc"
echo "seen:"
if ./target/debug/finding 2> /dev/null; then
  echo "as described"
else
  echo "the behaviour has changed" >&2
  exit 1
fi
