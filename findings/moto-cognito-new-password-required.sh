#!/usr/bin/env bash
# moto 5.2.5 answers NEW_PASSWORD_REQUIRED without ChallengeParameters, and takes the answer without an attribute that the pool requires.
#
# An imported user of Cognito begins with a temporary password. AWS documents that the challenge comes with `requiredAttributes`, which
# the client answers together with the new password; clients parse that member and `userAttributes` as JSON. One would guess that moto,
# whose pool keeps the schema with `Required: true` and whose SignUp refuses a user without the attribute, names it here. The parameters are
# empty, and the answer without the attribute signs the user in: what a client does with them is not tested.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'moto[cognitoidp]==5.2.5' boto3==1.44.8 botocore==1.44.8
cat > challenge.py <<'SCRIPT'
import boto3
from botocore.exceptions import ClientError
from moto import mock_aws


@mock_aws
def main():
    cognito = boto3.client("cognito-idp", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    schema = [{"Name": "given_name", "AttributeDataType": "String", "Required": True}]
    pool = cognito.create_user_pool(PoolName="p", Schema=schema)["UserPool"]["Id"]
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="c", ExplicitAuthFlows=flows)["UserPoolClient"]
    ids = {"UserPoolId": pool, "ClientId": client["ClientId"]}
    try:
        cognito.sign_up(ClientId=client["ClientId"], Username="eve", Password="Correct-horse-1")
        print("SignUp without given_name: done")
    except ClientError as error:
        print("SignUp without given_name:", error.response["Error"]["Code"])
    cognito.admin_create_user(UserPoolId=pool, Username="ada", TemporaryPassword="Correct-horse-1", MessageAction="SUPPRESS")
    password = {"USERNAME": "ada", "PASSWORD": "Correct-horse-1"}
    challenge = cognito.admin_initiate_auth(**ids, AuthFlow="ADMIN_USER_PASSWORD_AUTH", AuthParameters=password)
    print(challenge["ChallengeName"], challenge["ChallengeParameters"])
    answer = {"USERNAME": "ada", "NEW_PASSWORD": "Correct-horse-2"}
    answered = cognito.admin_respond_to_auth_challenge(
        **ids, ChallengeName="NEW_PASSWORD_REQUIRED", ChallengeResponses=answer, Session=challenge["Session"]
    )
    print("answer without given_name:", "AccessToken" in answered["AuthenticationResult"])


main()
SCRIPT
seen=$(env -u AWS_PROFILE -u AWS_ENDPOINT_URL AWS_CONFIG_FILE=/dev/null venv/bin/python challenge.py)
echo 'moto 5.2.5, a pool that requires given_name'
printf 'guessed: InvalidParameterException; requiredAttributes with userAttributes.given_name; an error\nseen:\n%s\n' "$seen"
[ "$seen" = 'SignUp without given_name: InvalidParameterException
NEW_PASSWORD_REQUIRED {}
answer without given_name: True' ]
