// A user's journey with the TypeScript client: node journey.mjs STACK EMAIL PICTURE

import { MemoryTokenStore, ProblemError, UsersClient, type Tokens } from "users-client";

declare const process: { argv: [string, string, string, string, string] };

const [, , stack, email, picture] = process.argv;
const password = "quiet-lantern-harbour";

let refreshes = 0;
const store = new MemoryTokenStore();
const client = new UsersClient({
  baseUrl: `${stack}/api/v1`,
  store,
  fetch: (request) => {
    if (request.url.endsWith("/auth/refresh")) refreshes++;
    return fetch(request);
  },
});

await client.post("/auth/register", { body: { name: "Grace Hopper", email, password } });
const confirmation = await client.post("/auth/confirm", { body: { token: await mailedToken() } });
equal(confirmation.status, "confirmed");

equal(await client.isSignedIn(), false);
equal((await problem(client.get("/user"))).code, "unauthenticated");
const refused = await problem(client.signIn({ email, password: "another password" }));
equal([refused.status, refused.code], [401, "invalid_credentials"]);
const signedIn = await client.signIn({ email, password });
equal("user" in signedIn && signedIn.user.email, email);
equal(await client.isSignedIn(), true);

equal((await client.get("/user")).name, "Grace Hopper");
equal((await client.put("/user", { body: { name: "Grace Murray Hopper" } })).name, "Grace Murray Hopper");
const uploaded = await client.uploadPicture(new Blob([bytes(picture)], { type: "image/png" }));
equal(uploaded.status, "ready");
equal((await fetch(uploaded.urls?.[64] ?? "")).status, 200);
const { sessions } = await client.get("/auth/sessions");
equal(sessions.map(({ current }) => current), [true]);

const invalid = await problem(client.put("/user", { body: { name: "" } }));
equal([invalid.status, invalid.code, invalid.errors.map(({ field }) => field)], [400, "invalid_request", ["name"]]);
equal(invalid.request_id?.length, 36);
const missing = await problem(client.delete("/auth/sessions/{id}", { params: { path: { id: crypto.randomUUID() } } }));
equal([missing.status, missing.code, missing.errors], [404, "session_not_found", []]);
equal(refreshes, 0);

// The access token is about to expire; then the service says that it is not valid.
for (const spoilt of [{ expires_at: Date.now() + 10_000 }, { access_token: "expired" }]) {
  const before = tokens();
  store.set({ ...before, ...spoilt });
  refreshes = 0;
  const users = await Promise.all([client.get("/user"), client.get("/user"), client.put("/user", { body: { name: "Grace" } })]);
  equal(users.map((user) => user.email), [email, email, email]);
  equal(refreshes, 1);
  equal(tokens().refresh_token !== before.refresh_token, true);
}

// A refresh that fails for another reason keeps the tokens.
const kept = tokens();
const busy = async () => new Response("", { status: 503, headers: { "Retry-After": "7" } });
const offline = new UsersClient({ baseUrl: `${stack}/api/v1`, store, fetch: busy });
store.set({ ...kept, expires_at: 0 });
const unavailable = await problem(offline.get("/user"));
equal([unavailable.status, unavailable.code, unavailable.retry_after], [503, "unknown", 7]);
equal(tokens().refresh_token, kept.refresh_token);
store.set(kept);

await client.signOut();
equal(await client.isSignedIn(), false);
const signedOut = await problem(client.get("/user"));
equal([signedOut.status, signedOut.code], [401, "unauthenticated"]);

// The session has ended: its tokens are worth nothing, and are cleared.
for (const ended of [kept, { ...kept, expires_at: 0 }]) {
  store.set(ended);
  equal((await problem(client.get("/user"))).status, 401);
  equal(await client.isSignedIn(), false);
}
await client.signOut();

console.log(`The TypeScript client completes the journey of ${email}.`);

function tokens(): Tokens {
  const stored = store.get();
  if (!stored) throw new Error("there are no tokens");
  return stored;
}

async function problem(call: Promise<unknown>): Promise<ProblemError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  throw new Error("a problem was expected");
}

async function mailedToken(): Promise<string> {
  for (let look = 0; look < 100; look++) {
    const mails: { to: string; links: string[] }[] = await (await fetch(`${stack}/_local/mail`)).json();
    const token = mails.filter(({ to }) => to === email).flatMap(({ links }) => links).find((link) => link.includes("token="));
    if (token) return new URL(token).searchParams.get("token") ?? "";
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no email to ${email}`);
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function equal(actual: unknown, expected: unknown): void {
  const [seen, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (seen !== wanted) throw new Error(`${seen} instead of ${wanted}`);
}
