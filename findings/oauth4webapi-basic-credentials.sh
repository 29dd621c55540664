#!/usr/bin/env bash
# oauth4webapi's client_secret_basic encodes "-", "_" and "." of a client id, too.
#
# RFC 6749, 2.3.1, has a client encode its id and secret as in a form before it joins them for HTTP Basic. Form encoding leaves
# "-", "_" and "." as they are, so one would guess that an id such as `orders-1.eu` arrives unchanged. It arrives as
# `orders%2D1%2Eeu`. A server that compares what it gets without decoding it knows no client with such a name, although curl
# with the same id and secret is let in.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts oauth4webapi@3.8.8 > /dev/null

cat > try.mjs <<'SCRIPT'
import * as oauth from 'oauth4webapi';
let sent;
const server = { issuer: 'https://as.example', introspection_endpoint: 'https://as.example/introspect' };
await oauth.introspectionRequest(server, { client_id: 'orders-1.eu' }, oauth.ClientSecretBasic('secret'), 'token', {
  [oauth.customFetch]: (_, request) => {
    sent = new Headers(request.headers).get('authorization');
    return new Response('{"active":false}', { headers: { 'content-type': 'application/json' } });
  },
});
console.log(Buffer.from(sent.split(' ')[1], 'base64').toString());
SCRIPT

seen=$(node try.mjs)
echo "oauth4webapi 3.8.8, id orders-1.eu, secret secret"
echo "guessed: orders-1.eu:secret"
echo "seen:    $seen"
[ "$seen" = 'orders%2D1%2Eeu:secret' ]
