#!/usr/bin/env bash
# asgi-idempotency-header 0.2.0: a request whose handler raised can never be repeated with its key.
#
# That a client may try again after a failure is what the key is for. One would guess that an exception frees the key, or that the
# 500 is stored. The server error is answered outside of the middleware (Starlette's outermost layer does that), so the key stays
# marked as pending, and the memory backend has no end for that: each repeat gets 409 until the process ends. A repeat that is
# answered from the store has status and body alone: `location` and cookies of the first answer are gone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  asgi-idempotency-header==0.2.0 fastapi==0.165.0 starlette==1.10.0 redis==8.1.0 httpx==0.28.1

"$work/venv/bin/python" - <<'SCRIPT'
import asyncio

import httpx
from idempotency_header_middleware import IdempotencyHeaderMiddleware
from idempotency_header_middleware.backends import MemoryBackend
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

answers = []


async def create(request):
    answers.append(request)
    if len(answers) == 2:
        raise RuntimeError("the database was away for a moment")
    return JSONResponse({"id": len(answers)}, status_code=201, headers={"location": f"/orders/{len(answers)}"})


async def posted() -> list[tuple]:
    app = Starlette(routes=[Route("/orders", create, methods=["POST"])])
    app.add_middleware(IdempotencyHeaderMiddleware, backend=MemoryBackend())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        responses = [await client.post("/orders", headers={"idempotency-key": key}) for key in ("a", "a", "b", "b", "b")]
    return [(response.status_code, response.headers.get("location")) for response in responses]


seen = asyncio.run(posted())
print("asgi-idempotency-header 0.2.0; twice with key a; three times with key b, of which the first raises")
print("guessed:", [(201, "/orders/1"), (201, "/orders/1"), (500, None), (201, "/orders/3"), (201, "/orders/3")])
print("seen:   ", seen)
assert seen == [(201, "/orders/1"), (201, None), (500, None), (409, None), (409, None)]
SCRIPT
