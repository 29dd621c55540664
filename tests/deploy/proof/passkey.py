"""What an authenticator and the browser around it do with one passkey (WebAuthn level 3), without a person to verify."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from fido2.webauthn import AttestedCredentialData, AuthenticatorData

PRESENT_AND_VERIFIED = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV


class Passkey:
    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.party = hashlib.sha256((urlsplit(origin).hostname or "").encode()).digest()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.user = b""
        self.count = 0

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """`navigator.credentials.create()`, in its JSON form."""
        self.user = decode(options["user"]["id"])
        public = ES256.from_cryptography_key(self.key.public_key())
        attested = AttestedCredentialData.create(bytes(16), self.id, public)
        flags = PRESENT_AND_VERIFIED | AuthenticatorData.FLAG.AT
        data = AuthenticatorData.create(self.party, flags, self.count, attested)
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": bytes(data)})
        client_data = self.client_data("webauthn.create", options)
        return self.answer({"clientDataJSON": encode(client_data), "attestationObject": encode(attestation)})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """`navigator.credentials.get()`, in its JSON form."""
        self.count += 1
        data = bytes(AuthenticatorData.create(self.party, PRESENT_AND_VERIFIED, self.count))
        client_data = self.client_data("webauthn.get", options)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        response = {"authenticatorData": data, "clientDataJSON": client_data, "signature": signature}
        return self.answer({name: encode(value) for name, value in (response | {"userHandle": self.user}).items()})

    def client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def answer(self, response: dict[str, str]) -> dict[str, Any]:
        name = encode(self.id)
        return {"id": name, "rawId": name, "type": "public-key", "clientExtensionResults": {}, "response": response}


def encode(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
