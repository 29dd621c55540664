"""Moves the users of a user pool in and signs them in. Arguments: where Cognito is, and where the binaries are."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import boto3

COGNITO, BINARIES = sys.argv[1], Path(sys.argv[2])
REGION = "eu-central-1"
PASSWORDS = {"ada@example.com": "An old password 1", "grace@example.com": "Another old one 2", "lin@example.com": "A third 3!"}

cognito = boto3.client(
    "cognito-idp", REGION, endpoint_url=COGNITO, aws_access_key_id="id", aws_secret_access_key="secret"
)


def make_pool() -> tuple[str, str]:
    """A pool with its users, and an app client as `docs/moving-in/cognito.md` asks for it."""
    pool = cognito.create_user_pool(PoolName="old", AliasAttributes=["email"])["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="moving", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    for number, (email, password) in enumerate(PASSWORDS.items()):
        attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
        attributes += [{"Name": "given_name", "Value": email.split("@")[0].title()}]
        username = f"user-{number}"
        cognito.admin_create_user(UserPoolId=pool, Username=username, UserAttributes=attributes, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username=username, Password=password, Permanent=True)
    # A password that an administrator gave out, and that has to be replaced.
    attributes = [{"Name": "email", "Value": "new@example.com"}, {"Name": "email_verified", "Value": "true"}]
    cognito.admin_create_user(
        UserPoolId=pool, Username="user-new", UserAttributes=attributes, MessageAction="SUPPRESS", TemporaryPassword="Given 0ut!"
    )
    return pool, client


def status(url: str, email: str, password: str) -> int:
    """The status of a sign-in."""
    body = json.dumps({"email": email, "password": password}).encode()
    request = urllib.request.Request(f"{url}/api/v1/auth/login", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def check(told: str, condition: bool) -> None:
    """Says what was checked, and fails if it is not so."""
    print(("ok    " if condition else "WRONG ") + told)
    if not condition:
        sys.exit(1)


def start(folder: Path, pool: str) -> tuple[subprocess.Popen, str]:
    """The whole service on this machine, and its URL."""
    environment = os.environ | {
        "PORT": "0",
        "LEGACY_USER_POOL": pool,
        "LEGACY_PASSWORDS_UNTIL": "2999-01-01T00:00:00Z",
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": COGNITO,
    }
    service = subprocess.Popen([BINARIES / "local", "--fresh"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    for line in service.stdout:
        words = [word for word in line.split() if word.startswith("http://127.0.0.1:")]
        if words:
            return service, words[0].rstrip("/")
    sys.exit("the service did not start")


def main() -> None:
    """All of it."""
    pool, client = make_pool()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        service, url = start(folder, pool)
        try:
            users = folder / "users.json"
            users.write_text(json.dumps(cognito.list_users(UserPoolId=pool), default=str))
            environment_file = next(folder.rglob("functions.env"))
            arguments = ["import", users, "--from", "cognito", "--cognito-pool", pool, "--cognito-client", client]
            ran = subprocess.run(
                [BINARIES / "users", *arguments, "--env-file", environment_file, "--json"], capture_output=True, text=True
            )
            check(f"imported: {ran.stdout.strip()} {ran.stderr.strip()}", ran.returncode == 0)
            for email, password in PASSWORDS.items():
                check(f"{email}: a wrong password is refused", status(url, email, "not the password") == 401)
                check(f"{email}: the old password signs in", status(url, email, password) == 200)
            check("a password that was given out once is refused", status(url, "new@example.com", "Given 0ut!") == 401)
            check("an unknown address is refused", status(url, "nobody@example.com", "An old password 1") == 401)
            cognito.delete_user_pool(UserPoolId=pool)
            for email, password in PASSWORDS.items():
                check(f"{email}: signs in when the pool is gone", status(url, email, password) == 200)
                check(f"{email}: a wrong password is still refused", status(url, email, "not the password") == 401)
        finally:
            service.terminate()
            service.wait(timeout=20)


main()
