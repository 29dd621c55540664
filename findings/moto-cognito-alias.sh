#!/usr/bin/env bash
# moto 5.2.5 keeps the AliasAttributes of a user pool, but finds no user by an alias, and gives two users the same one.
#
# In a pool with `AliasAttributes: [email]` users have usernames and can also sign in with a verified email address. AWS documents for
# AdminGetUser that any alias names the user, and for AdminCreateUser an AliasExistsException if another user has the alias. One would
# guess that moto does both: DescribeUserPool returns the aliases, and a pool with `UsernameAttributes: [email]` finds users by address.
# With aliases it answers UserNotFoundException and creates the second user. A test of moving accounts out of such a pool misses the
# sign-in that most users have, and the conflict.
#
# Needs Python 3 and the public registries.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'moto[cognitoidp]==5.2.5' boto3==1.44.8 botocore==1.44.8
cat > alias.py <<'SCRIPT'
import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

ADDRESS = [{"Name": "email", "Value": "ada@example.com"}, {"Name": "email_verified", "Value": "true"}]


def outcome(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"


@mock_aws
def main():
    cognito = boto3.client("cognito-idp", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    for kind, name in ("UsernameAttributes", "ada@example.com"), ("AliasAttributes", "ada"):
        pool = cognito.create_user_pool(PoolName=kind, **{kind: ["email"]})["UserPool"]["Id"]
        flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="c", ExplicitAuthFlows=flows)["UserPoolClient"]
        new = {"UserPoolId": pool, "UserAttributes": ADDRESS, "MessageAction": "SUPPRESS"}
        cognito.admin_create_user(Username=name, **new)
        cognito.admin_set_user_password(UserPoolId=pool, Username=name, Password="Correct-horse-1", Permanent=True)
        sign_in = {
            "UserPoolId": pool,
            "ClientId": client["ClientId"],
            "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
            "AuthParameters": {"USERNAME": "ada@example.com", "PASSWORD": "Correct-horse-1"},
        }
        shown = cognito.describe_user_pool(UserPoolId=pool)["UserPool"][kind]
        got = outcome(cognito.admin_get_user, UserPoolId=pool, Username="ada@example.com")
        signed_in = outcome(cognito.admin_initiate_auth, **sign_in)
        second = outcome(cognito.admin_create_user, Username="ada@example.com" if name != "ada" else "eve", **new)
        print(kind, shown, got, signed_in, second)


main()
SCRIPT
seen=$(env -u AWS_PROFILE -u AWS_ENDPOINT_URL AWS_CONFIG_FILE=/dev/null venv/bin/python alias.py)
echo 'moto 5.2.5: the pool, AdminGetUser and AdminInitiateAuth by address, and another user with the address'
echo "guessed:
UsernameAttributes ['email'] done done UsernameExistsException
AliasAttributes ['email'] done done AliasExistsException
seen:
$seen"
[ "$seen" = "UsernameAttributes ['email'] done done UsernameExistsException
AliasAttributes ['email'] UserNotFoundException UserNotFoundException done" ]
