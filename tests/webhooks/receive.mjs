// Verifies the deliveries of a file with the library `standardwebhooks` of npm.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

// Seconds by which a message may be off, and one more.
const TOO_OLD = 5 * 60 + 1;
// A secret of no delivery.
const OTHER = `whsec_${"A".repeat(43)}=`;

// What the library says.
const NOT_SIGNED = "No matching signature found";
const OLD = "Message timestamp too old";

function answer(hook, body, headers) {
  try {
    hook.verify(Buffer.from(body), headers);
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.message;
    throw error;
  }
  return "accepted";
}

function problems({ headers, body, secrets }) {
  const id = headers["webhook-id"];
  const sent = Number(headers["webhook-timestamp"]);
  const found = [];
  const expect = (what, expected, hook, body, headers) => {
    const answered = answer(hook, body, headers);
    if (answered !== expected) found.push(`${what}: ${answered}`);
  };
  secrets.forEach((secret, index) => {
    const number = index + 1;
    const hook = new Webhook(secret);
    const [signature, oldSignature] = [sent, sent - TOO_OLD].map((time) => hook.sign(id, new Date(time * 1000), body));
    if (!headers["webhook-signature"].split(" ").includes(signature)) {
      found.push(`secret ${number}: the library signs it as ${signature}`);
    }
    expect(`secret ${number}`, "accepted", hook, body, headers);
    expect(`secret ${number}, a changed body`, NOT_SIGNED, hook, `${body} `, headers);
    // Signed correctly, so that only its age is wrong.
    const old = { ...headers, "webhook-timestamp": String(sent - TOO_OLD), "webhook-signature": oldSignature };
    expect(`secret ${number}, an old message`, OLD, hook, body, old);
  });
  expect("another secret", NOT_SIGNED, new Webhook(OTHER), body, headers);
  return found;
}

const lines = readFileSync(process.argv[2], "utf8").split("\n").filter((line) => line !== "");
const deliveries = lines.map((line) => JSON.parse(line));
const results = deliveries.map((delivery) => [delivery.headers["webhook-id"], problems(delivery)]);
const failed = results.filter(([, found]) => found.length);
for (const [id, found] of failed) {
  console.error([id, ...found].join("\n  "));
}
const { version } = createRequire(import.meta.url)("standardwebhooks/package.json");
const accepted = deliveries.length - failed.length;
console.log(`npm's standardwebhooks ${version} accepts ${accepted} of ${deliveries.length} deliveries`);
process.exitCode = failed.length || !deliveries.length ? 1 : 0;
