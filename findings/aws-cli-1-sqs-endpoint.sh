#!/usr/bin/env bash
# AWS CLI 1 (awscli 1.46.3) and the environment variables for endpoints.
#
# Guessed: `aws sqs` goes to AWS_ENDPOINT_URL_SQS, or else to AWS_ENDPOINT_URL, as the documentation says of all services and as
# `aws sns` and `aws dynamodb` do.
# Seen: `aws sqs` ignores both and calls AWS itself, in every region; only --endpoint-url moves it. So a shell that is set up
# for a service on this machine sends its SQS commands, signed, to an account.
#
# Nothing leaves this machine: HTTPS goes to a proxy that is not there, and the endpoints are closed ports.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check awscli==1.46.3
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y AWS_DEFAULT_REGION=eu-central-1 AWS_MAX_ATTEMPTS=1
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null HTTPS_PROXY=http://127.0.0.1:9
unset NO_PROXY no_proxy AWS_ENDPOINT_URL
local=http://127.0.0.1:11
aws() { "$folder/venv/bin/aws" "$@" 2>&1 | tail -n 1 || true; }
here='Could not connect to the endpoint URL: "http://127.0.0.1:11/"'
away='Failed to connect to proxy URL: "http://127.0.0.1:9"'

aws --version
status=0
expect() {
  local what=$1 expected=$2 seen=$3
  printf '%-44s %s\n' "$what" "$seen"
  [[ $seen == *"$expected"* ]] || { echo "  changed; it was: $expected"; status=1; }
}
expect 'AWS_ENDPOINT_URL_SNS, aws sns' "$here" "$(AWS_ENDPOINT_URL_SNS=$local aws sns list-topics)"
expect 'AWS_ENDPOINT_URL_SQS, aws sqs' "$away" "$(AWS_ENDPOINT_URL_SQS=$local aws sqs list-queues)"
expect 'AWS_ENDPOINT_URL, aws sns' "$here" "$(AWS_ENDPOINT_URL=$local aws sns list-topics)"
expect 'AWS_ENDPOINT_URL, aws sqs' "$away" "$(AWS_ENDPOINT_URL=$local aws sqs list-queues)"
expect '--endpoint-url, aws sqs' "$here" "$(aws sqs list-queues --endpoint-url "$local")"
exit "$status"
