#!/usr/bin/env bash
# @redocly/cli 2.77.0 reports `oneOf` schemas as overlapping although no value fits two of them.
#
# A body with exactly one of two fields, where the other one may be null: the first schema requires `code` as a string and allows
# `password` as null only, the second the other way round. One would guess that the rule `no-illogical-composition-keywords` of
# `recommended-strict` accepts this, because a value with a string in one field never fits the other schema, as ajv 8.17.1 confirms.
# The rule looks at optional fields by name, not by type, and reports an error.
#
# Needs Node.js 20.19 or newer and npm's registry.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @redocly/cli@2.77.0 ajv@8.17.1 > /dev/null

cat > document.json <<'JSON'
{
  "openapi": "3.1.0", "info": {"title": "Proofs", "version": "1"},
  "paths": {"/proofs": {"post": {
    "requestBody": {"content": {"application/json": {"schema": {"oneOf": [
      {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}, "password": {"type": "null"}}},
      {"type": "object", "required": ["password"], "properties": {"code": {"type": "null"}, "password": {"type": "string"}}}
    ]}}}},
    "responses": {"204": {"description": "Proved"}}
  }}}
}
JSON
cat > redocly.yaml <<'YAML'
telemetry: "off"
rules:
  no-illogical-composition-keywords: error
YAML
cat > fits.mjs <<'SCRIPT'
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";

const document = JSON.parse(readFileSync("document.json", "utf8"));
const { oneOf } = document.paths["/proofs"].post.requestBody.content["application/json"].schema;
const schemas = oneOf.map((schema) => new Ajv.default().compile(schema));
const fields = [undefined, null, "text", 1, []];
const values = fields.flatMap((code) => fields.map((password) => JSON.parse(JSON.stringify({ code, password }))));
console.log(Math.max(...values.map((value) => schemas.filter((fits) => fits(value)).length)));
SCRIPT
fits=$(node fits.mjs)
export REDOCLY_SUPPRESS_UPDATE_NOTICE=true
result=valid
report=$(node_modules/.bin/redocly lint --config redocly.yaml document.json 2>&1) || result=invalid
message=$(grep --only-matching --max-count 1 'Schemas in `oneOf` must be mutually exclusive' <<< "$report" || true)
printf 'schemas that a value fits at most, by ajv 8.17.1: %s\nguessed, @redocly/cli 2.77.0: valid\nseen: %s: %s\n' \
  "$fits" "$result" "$message"
[ "$fits" = 1 ]
[ "$result" = invalid ]
[ -n "$message" ]
