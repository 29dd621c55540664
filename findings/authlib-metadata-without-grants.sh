#!/usr/bin/env bash
# Authlib's validator of authorization server metadata takes an empty list for a missing one, and wants a token endpoint of a
# server without grants.
#
# RFC 8414, 2, requires `response_types_supported`, and `token_endpoint` unless only the implicit grant is supported. A server
# that only publishes keys and introspects tokens supports no grant at all, and would say so by two empty lists. One would guess
# that `validate()` takes that, or refuses the empty list by a word about its length. It says that the list, which is there, is
# required, and no value of `grant_types_supported` but exactly ["implicit"], which would be wrong, frees it from a token
# endpoint.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check authlib==1.9.10

"$work/venv/bin/python" - <<'SCRIPT'
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

metadata = AuthorizationServerMetadata(
    issuer="https://as.example",
    jwks_uri="https://as.example/jwks.json",
    introspection_endpoint="https://as.example/introspect",
    response_types_supported=[],
    grant_types_supported=[],
)
seen = {}
for name in AuthorizationServerMetadata.REGISTRY_KEYS:
    try:
        getattr(metadata, f"validate_{name}")()
    except ValueError as error:
        seen[name] = str(error)
print("Authlib 1.9.10, metadata without grants")
print("guessed: no problem")
print("seen:   ", seen)
assert seen == {
    "token_endpoint": '"token_endpoint" is required',
    "response_types_supported": '"response_types_supported" is required',
}
SCRIPT
