#!/usr/bin/env bash
# standardwebhooks 1.1.1 of npm finds no header in a `Headers` object of fetch.
#
# Routes of Next.js, Hono, Deno and Workers get a `Request`, whose `headers` is a `Headers`. One would guess that
# `webhook.verify(await request.text(), request.headers)` verifies what verifies with a plain object. The library reads
# properties, of which a `Headers` has none, and says that the headers are missing. `Object.fromEntries(request.headers)` verifies.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --prefix "$work" --silent --no-audit --no-fund --ignore-scripts standardwebhooks@1.1.1

cat > "$work/show.mjs" <<'SCRIPT'
import assert from "node:assert";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook("whsec_" + Buffer.alloc(24).toString("base64"));
const [id, now, body] = ["msg_1", new Date(), '{"type":"user.created"}'];
const plain = {
  "webhook-id": id,
  "webhook-timestamp": String(Math.floor(now / 1000)),
  "webhook-signature": webhook.sign(id, now, body),
};
const request = new Request("https://receiver.example.com/", { method: "POST", body, headers: plain });
const seen = {};
for (const [name, headers] of [
  ["a plain object", plain],
  ["request.headers", request.headers],
  ["Object.fromEntries(request.headers)", Object.fromEntries(request.headers)],
]) {
  try {
    webhook.verify(body, headers);
    seen[name] = "verified";
  } catch (error) {
    seen[name] = error.message;
  }
}
console.log("standardwebhooks 1.1.1, one delivery, its headers in three forms");
console.log("seen:", seen);
assert.deepStrictEqual(seen, {
  "a plain object": "verified",
  "request.headers": "Missing required headers",
  "Object.fromEntries(request.headers)": "verified",
});
SCRIPT
node "$work/show.mjs"
