#!/usr/bin/env bash
# SAM's AutoPublishAliasAllProperties publishes no version when a parameter that the function reads gets another value; the
# description of the version is what can.
#
# The property's documentation says that a version is published whenever any property of the function changes. One would guess
# that a variable `!Ref Parameter` counts, as its value changes what the function does. SAM names the version's resource by a hash
# of the properties as they are written, so the name stays, and the alias goes on to lead to the version with the old value. A
# `VersionDescription` that refers to the parameter is passed on unresolved, and CloudFormation replaces a version whose
# description changes; among Globals SAM refuses it, where its neighbour VersionDeletionPolicy is allowed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aws-sam-translator==1.115.0 boto3==1.43.106

AWS_DEFAULT_REGION=eu-central-1 "$work/venv/bin/python" - <<'SCRIPT'
import copy

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform

TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Parameters": {"Greeting": {"Type": "String"}},
    "Resources": {
        "Hello": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": "s3://bucket/hello.zip",
                "Handler": "bootstrap",
                "Runtime": "provided.al2023",
                "AutoPublishAlias": "live",
                "AutoPublishAliasAllProperties": True,
                "VersionDescription": {"Ref": "Greeting"},
                "Environment": {"Variables": {"GREETING": {"Ref": "Greeting"}}},
            },
        }
    },
}


class NoManagedPolicies:
    def load(self):
        return {}


def versions(greeting):
    expanded = transform(copy.deepcopy(TEMPLATE), {"Greeting": greeting}, NoManagedPolicies())
    return {
        name: body["Properties"]["Description"]
        for name, body in expanded["Resources"].items()
        if body["Type"] == "AWS::Lambda::Version"
    }


one, other = versions("hello"), versions("good morning")
print("aws-sam-translator 1.115.0, a function that reads a parameter, with two values of it")
print("guessed: two versions")
print("seen:   ", one, other)
assert one == other and list(one.values()) == [{"Ref": "Greeting"}]

refused = {}
for name, value in {"VersionDescription": "x", "VersionDeletionPolicy": "Delete"}.items():
    template = copy.deepcopy(TEMPLATE)
    template["Globals"] = {"Function": {name: value}}
    try:
        transform(template, {"Greeting": "hello"}, NoManagedPolicies())
        refused[name] = False
    except InvalidDocumentException:
        refused[name] = True
print("guessed: Globals take both or neither")
print("seen:    refused:", refused)
assert refused == {"VersionDescription": True, "VersionDeletionPolicy": False}
SCRIPT
