// Signs in, much as `functions/src/sessions/login.rs` does it: the same items of the same tables, the same cost of a password, a token of
// the same kind. Written as one writes it in Node.js, on the usual libraries. It reads before it hashes, and does less: no limits
// by origin, no device tokens, no second factor, and no email about a new client.
import { createPrivateKey, createHash, randomBytes, randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  BatchWriteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
} from '@aws-sdk/lib-dynamodb';
import argon2 from 'argon2';
import { SignJWT } from 'jose';

const { TABLE_NAME, KEYS_TABLE_NAME, PUBLIC_URL } = process.env;
const ACCESS_TOKEN_LIFE = 600;
const SESSION_LIFE = 30 * 24 * 3600;
const ATTEMPTS_KEPT = 3600;
const FREE_ATTEMPTS = 5;

const db = DynamoDBDocumentClient.from(new DynamoDBClient());

export async function handler(event) {
  const { email, password } = JSON.parse(event.body);
  const now = Date.now();
  const address = { pk: `EMAIL#${email.trim().toLowerCase()}` };
  const [{ owner, attempts }, key] = await Promise.all([beforeSignIn(address), signingKey(now)]);
  if (attempts && attempts.count >= FREE_ATTEMPTS) {
    return answer(429, { code: 'too_many_attempts' });
  }
  const [, user] = await Promise.all([countAttempt(address, attempts, now), owner && account(owner.user)]);
  if (!user || !(await argon2.verify(user.password_hash, password))) {
    return answer(401, { code: 'invalid_credentials' });
  }
  const session = randomUUID();
  const refreshToken = randomBytes(32).toString('base64url');
  const [, accessToken] = await Promise.all([
    beginSession(user, session, refreshToken, address, event.requestContext.http, now),
    sign(user, session, key, Math.floor(now / 1000)),
  ]);
  return answer(200, {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: ACCESS_TOKEN_LIFE,
    refresh_token: refreshToken,
    refresh_expires_in: SESSION_LIFE,
    user: { id: user.id, name: user.name, email: user.email, email_confirmed: user.email_confirmed, roles: user.roles },
  });
}

async function beforeSignIn({ pk }) {
  const keys = ['OWNER', 'ATTEMPTS'].map((sk) => ({ pk, sk }));
  const { Responses } = await db.send(
    new BatchGetCommand({ RequestItems: { [TABLE_NAME]: { Keys: keys, ConsistentRead: true } } }),
  );
  const [owner, attempts] = keys.map(({ sk }) => Responses[TABLE_NAME].find((item) => item.sk === sk));
  return { owner, attempts };
}

function countAttempt({ pk }, earlier, now) {
  const count = (earlier?.count ?? 0) + 1;
  const ttl = Math.floor(now / 1000) + ATTEMPTS_KEPT;
  return db.send(new PutCommand({ TableName: TABLE_NAME, Item: { pk, sk: 'ATTEMPTS', count, last_at: now, ttl } }));
}

async function account(id) {
  const { Item } = await db.send(
    new GetCommand({ TableName: TABLE_NAME, Key: { pk: `USER#${id}`, sk: 'PROFILE' }, ConsistentRead: true }),
  );
  return Item;
}

function beginSession(user, session, refreshToken, address, { sourceIp, userAgent }, now) {
  const item = {
    pk: `USER#${user.id}`,
    sk: `SESSION#${session}`,
    id: session,
    user: user.id,
    epoch: user.session_epoch,
    rotation: 0,
    rotated_at: now,
    signed_in_at: now,
    source_ip: sourceIp,
    user_agent: userAgent,
    refresh_hash: createHash('sha256').update(refreshToken).digest('base64url'),
    ttl: Math.floor(now / 1000) + SESSION_LIFE,
  };
  const writes = [{ PutRequest: { Item: item } }, { DeleteRequest: { Key: { ...address, sk: 'ATTEMPTS' } } }];
  return db.send(new BatchWriteCommand({ RequestItems: { [TABLE_NAME]: writes } }));
}

let cached;

/** The newest of the keys that sign already, kept while the function lives. */
async function signingKey(now) {
  if (!cached) {
    const { Items } = await db.send(
      new QueryCommand({
        TableName: KEYS_TABLE_NAME,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': 'SIGNING' },
        ConsistentRead: true,
      }),
    );
    const [{ kid, pkcs8 }] = Items.filter((key) => key.active_from <= now).sort((a, b) => b.active_from - a.active_from);
    cached = { kid, key: createPrivateKey({ key: Buffer.from(pkcs8, 'base64'), format: 'der', type: 'pkcs8' }) };
  }
  return cached;
}

function sign(user, session, { kid, key }, seconds) {
  const issuer = `${PUBLIC_URL}/api/v1`;
  return new SignJWT({ sid: session, roles: user.roles, auth_time: seconds, amr: ['pwd'] })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
    .setIssuer(issuer)
    .setAudience(issuer)
    .setSubject(user.id)
    .setJti(randomUUID())
    .setIssuedAt(seconds)
    .setNotBefore(seconds)
    .setExpirationTime(seconds + ACCESS_TOKEN_LIFE)
    .sign(key);
}

function answer(statusCode, body) {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  return { statusCode, headers, body: JSON.stringify(body) };
}
