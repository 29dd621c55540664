"""Prints `src/users_client/schemas.py`, made from an OpenAPI document: python3 generate.py openapi.json

A schema becomes a `TypedDict`, which describes JSON as it is: nothing is converted, and a value that a later version of the service
adds to an enumeration is no error. Keywords that would change a type and are unknown here make it fail.
"""

import json
import keyword
import sys
from textwrap import fill, indent
from typing import Any

Schema = dict[str, Any]

SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
UNKNOWN = {"anyOf", "not", "const", "if", "prefixItems", "patternProperties", "dependentSchemas", "discriminator"}
HEADER = '''"""The types of request and response bodies. Made by `generate.py` from the OpenAPI document; do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, final
'''


class Module:
    def __init__(self, schemas: dict[str, Schema]) -> None:
        self.schemas = schemas
        self.definitions: list[str] = []
        self.aliases: list[str] = []
        self.names = set(schemas)

    def print(self) -> None:
        for name, schema in self.schemas.items():
            schema = self.merged(schema)
            if "properties" in schema:
                self.define_dict(name, schema)
            else:
                self.aliases.append(f"{name}: TypeAlias = {self.type(schema, name)}\n" + documentation(schema))
        # The aliases are evaluated as they are read, after everything that they name.
        print("\n\n".join([HEADER, *self.definitions, *self.aliases]), end="")

    def define_dict(self, name: str, schema: Schema) -> None:
        required = schema.get("required", [])
        fields = []
        for field, value in schema["properties"].items():
            type = self.type(value, name + camel(field))
            fields.append((field, type if field in required else f"NotRequired[{type}]", documentation(value)))
        if all(field.isidentifier() and not keyword.iskeyword(field) for field, _, _ in fields):
            lines = [f"{field}: {type}\n{about}" for field, type, about in fields] or ["pass\n"]
            about = documentation(schema)
            body = (about + "\n" if about else "") + "".join(lines)
            # Type checkers tell the members of a union apart by a field if no subclass can have it, too.
            self.definitions.append(f"@final\nclass {name}(TypedDict):\n" + indent(body, "    "))
        else:
            items = "".join(f'    "{field}": "{type}",\n' for field, type, _ in fields)
            self.definitions.append(f'{name} = TypedDict("{name}", {{\n{items}}})\n' + documentation(schema))

    def type(self, schema: Schema, name: str) -> str:
        """The annotation for a schema; `name` is that of the class if it needs one."""
        if unknown := UNKNOWN & schema.keys():
            sys.exit(f"{name}: {', '.join(unknown)} is not supported")
        if "$ref" in schema:
            return str(schema["$ref"].rpartition("/")[2])
        if "allOf" in schema:
            return self.type(self.merged(schema), name)
        if "oneOf" in schema:
            titles = [camel(choice.get("title", "")) or str(number) for number, choice in enumerate(schema["oneOf"], 1)]
            return union(self.type(choice, name + title) for choice, title in zip(schema["oneOf"], titles))
        if "enum" in schema:
            return f"Literal[{', '.join(repr(value) for value in schema['enum'])}]"
        types = schema.get("type", [])
        return union(self.type_of(kind, schema, name) for kind in ([types] if isinstance(types, str) else types)) or "Any"

    def type_of(self, kind: str, schema: Schema, name: str) -> str:
        if kind == "array":
            return f"list[{self.type(schema['items'], name + 'Item')}]"
        if kind != "object":
            return SIMPLE[kind]
        if "properties" in schema:
            if name in self.names:
                sys.exit(f"{name}: two schemas would have this name")
            self.names.add(name)
            self.define_dict(name, schema)
            return name
        values = schema.get("additionalProperties")
        return f"dict[str, {self.type(values, name + 'Value') if isinstance(values, dict) else 'Any'}]"

    def merged(self, schema: Schema) -> Schema:
        """A schema with everything that its `allOf` says of its properties; what is said later replaces what was said before."""
        if "$ref" in schema:
            return self.merged(self.schemas[schema["$ref"].rpartition("/")[2]])
        if "allOf" not in schema:
            return schema
        whole: Schema = {"type": "object", "required": [], "properties": {}}
        for part in map(self.merged, schema["allOf"]):
            whole["required"] += part.get("required", [])
            whole["properties"] |= part["properties"]
        return whole | {key: value for key, value in schema.items() if key != "allOf"}


def union(types: Any) -> str:
    return " | ".join(dict.fromkeys(types))


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.replace("-", "_").split("_"))


def documentation(schema: Schema) -> str:
    description = schema.get("description", "").replace("\\", "\\\\").replace('"""', "'''")
    if description.endswith('"'):
        description = description[:-1] + '\\"'
    return fill(f'"""{description}"""', 120, break_long_words=False, break_on_hyphens=False) + "\n" if description else ""


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        Module(json.load(file)["components"]["schemas"]).print()
