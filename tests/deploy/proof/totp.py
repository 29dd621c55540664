"""What an authenticator app does (RFC 6238, with SHA-1, six digits and thirty seconds)."""

import base64
import hashlib
import hmac
import time


def code(secret: str, later: int = 0) -> str:
    step = int(time.time()) // 30 + later
    mac = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"
