#!/usr/bin/env bash
# `sam local` gives a function in a nested stack the name of a parameter where the parameter's value is empty.
#
# An empty default is the usual way to say that a parameter is optional. One would guess that a variable made of it is empty in the
# root stack and in a nested one, to which the root passes it on. In the root it is; in the nested stack SAM CLI takes the empty
# value for none and fills in the parameter's name, so the function is configured with a word that nobody wrote.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aws-sam-cli==1.170.0

cat > "$work/template.yaml" <<'YAML'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: ""}
Resources:
  Outer:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: bootstrap
      Runtime: provided.al2023
      Environment: {Variables: {GREETING: !Ref Greeting}}
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: nested.yaml
      Parameters: {Greeting: !Ref Greeting}
YAML
cat > "$work/nested.yaml" <<'YAML'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String}
Resources:
  Inner:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: bootstrap
      Runtime: provided.al2023
      Environment: {Variables: {GREETING: !Ref Greeting}}
YAML

cd "$work"
AWS_DEFAULT_REGION=eu-central-1 SAM_CLI_TELEMETRY=0 venv/bin/python - <<'SCRIPT'
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

stacks, _ = SamLocalStackProvider.get_stacks("template.yaml")
functions = SamFunctionProvider(stacks).get_all()
seen = {function.function_id: function.environment["Variables"]["GREETING"] for function in functions}
print("SAM CLI 1.170.0, a variable of a parameter whose value is empty, in the root stack and in a nested one")
print("guessed: empty in both")
print("seen:   ", seen)
assert seen == {"Outer": "", "Inner": "Greeting"}
SCRIPT
