#!/usr/bin/env bash
# datamodel-code-generator 0.89.0: an object that replaces a nullable object in `allOf` becomes an object of objects.
#
# Common in OpenAPI 3.1: a list shows `profile` as an object or null, and a schema that extends it with `allOf` requires the object.
# One would guess that `profile` is `dict[str, Any]` in both. In the second it is `dict[str, dict[str, Any]]`: the generated
# pydantic model rejects valid data, and a type checker accepts only invalid data. If `profile` cannot be null in the first schema,
# both are right.
#
# Needs Python 3.11 or newer and PyPI.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check datamodel-code-generator==0.89.0 pydantic==2.14.4

for type in '"object"' '["object", "null"]'; do
  cat > document.json <<JSON
{"openapi": "3.1.0", "info": {"title": "Users", "version": "1"}, "paths": {}, "components": {"schemas": {
  "Listed": {"type": "object", "properties": {"profile": {"type": $type}}},
  "Shown": {"allOf": [
    {"\$ref": "#/components/schemas/Listed"},
    {"type": "object", "required": ["profile"], "properties": {"profile": {"type": "object"}}}
  ]}
}}}
JSON
  venv/bin/datamodel-codegen --input document.json --input-file-type openapi --output-model-type pydantic_v2.BaseModel \
    --formatters builtin --output models.py
  venv/bin/python -B - "$type" <<'SCRIPT'
import sys

from models import Shown
from pydantic import ValidationError

nullable = "null" in sys.argv[1]
kind = str(Shown.model_fields["profile"].annotation).replace("typing.", "")
try:
    Shown(profile={"theme": "dark"})
    seen = "accepted"
except ValidationError as error:
    seen = error.errors()[0]["msg"]
print(f'`profile` of type {sys.argv[1]}, replaced by "object"')
print("guessed: dict[str, Any], accepted")
print(f"seen: {kind}, {seen}")
expected = ("dict[str, dict[str, Any]]", "Input should be a valid dictionary") if nullable else ("dict[str, Any]", "accepted")
assert (kind, seen) == expected
SCRIPT
done
