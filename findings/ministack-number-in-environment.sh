#!/usr/bin/env bash
# ministack 1.5.33 (an emulator of AWS) and a number among a function's environment variables.
#
# `Variables` of AWS::Lambda::Function are strings, and YAML has numbers: `SIZE: 512` in a template is one. One would guess that the
# emulator makes text of it, as CloudFormation does with a number where a property is a string, or refuses the stack. It creates
# the stack, tells the number back from GetFunctionConfiguration, and every invocation of the function fails with Python's own
# "expected str, bytes or os.PathLike object, not int", before a line of the function has run. The log of the function stays empty;
# only the emulator's has the error. So numbers are quoted in templates.
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${emulator:-}" 2> /dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ministack==1.5.33 boto3==1.43.106

port=$("$work/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$work/tmp"
TMPDIR="$work/tmp" BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" MINISTACK_HOST=localhost IOT_MTLS_ENABLED=0 \
  "$work/venv/bin/ministack" > "$work/emulator.log" 2>&1 &
emulator=$!

"$work/venv/bin/python" - "$port" <<'SCRIPT'
import json
import socket
import sys
import time

import boto3

port = int(sys.argv[1])
for _ in range(100):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        break
    except OSError:
        time.sleep(0.1)

aws = {
    "endpoint_url": f"http://127.0.0.1:{port}",
    "region_name": "eu-central-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}
stacks, functions = boto3.client("cloudformation", **aws), boto3.client("lambda", **aws)
trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def invoked(name: str, value: object) -> tuple[str, object, str]:
    role = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}}
    function = {
        "FunctionName": name,
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": "import os\ndef handler(event, context):\n    return os.environ['SIZE']\n"},
        "Environment": {"Variables": {"SIZE": value}},
    }
    template = {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        }
    }
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])
    while (status := stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]) == "CREATE_IN_PROGRESS":
        time.sleep(0.1)
    stored = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]["SIZE"]
    return status, stored, functions.invoke(FunctionName=name)["Payload"].read().decode()


text, number = invoked("text", "512"), invoked("number", 512)
print("ministack 1.5.33; seen with SIZE: \"512\":", text)
print("guessed of SIZE: 512: the same; seen:", number)
assert text == ("CREATE_COMPLETE", "512", '"512"')
assert number[:2] == ("CREATE_COMPLETE", 512)
assert "expected str, bytes or os.PathLike object, not int" in number[2]
SCRIPT
