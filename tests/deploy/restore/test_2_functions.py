"""The service itself: it is deployed, restored to a time before a deletion, and goes on with the restored tables."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from proof import totp
from proof.api import Api
from proof.deploy import make_stack, prepare_account, upload
from proof.deployment import Deployment
from proof.emulator import Emulator
from proof.template import REPOSITORY, Template
from proof.waiting import eventually

from .scene import Run, next_second, run_tool, utc

PASSWORD, CHANGED, CHOSEN = "quiet-lantern-harbour", "amber-window-voyage", "copper-meadow-signal"
STACK = "users-drill"
ADA, GRACE, JOAN, VERA = (f"{name}@drill.example.com" for name in ("ada", "grace", "joan", "vera"))


class Story:
    """Ada changes her password and Grace deletes her account, both after the second; Joan has an authenticator app."""

    def __init__(self, emulator: Emulator, binaries: Path, folder: Path) -> None:
        template = Template.of("test")
        template.stack = STACK
        prepare_account(emulator)
        code = upload(emulator, list(template.binaries().values()), binaries, folder)
        make_stack(emulator, template, code)
        self.before = Deployment(emulator, template.stack, template.binaries(), code)
        api = Api(self.before)
        self.pairs = {email: api.signed_in(email, PASSWORD) for email in (ADA, GRACE, JOAN, VERA)}
        joan = self.pairs[JOAN]["access_token"]
        self.secret = api.post("/user/totp", None, joan).must(200)["secret"]
        confirmed = api.post("/user/totp/confirm", {"code": totp.code(self.secret)}, joan).must(200)
        self.recovery_codes = confirmed["recovery_codes"]
        self.kids = published(api)
        self.second = next_second()

        change = {"current_password": PASSWORD, "new_password": CHANGED}
        api.request("PUT", "/api/v1/user/password", change, self.pairs[ADA]["access_token"]).must(204)
        api.request("DELETE", "/api/v1/user", None, self.pairs[GRACE]["access_token"]).must(204)

        asked = ["--stack", STACK, "--at", utc(self.second), "--force-reset", "changed"]
        self.run: Run = run_tool(emulator, *asked).must()
        # A second stack takes the parameters: the emulator forgets the ARNs of roles when it updates one.
        restored = Template.of("test")
        restored.stack = f"{STACK}-restored"
        restored.parameters |= dict(re.findall(r'"(\w+)=(.*)"', self.run.out)) | {"MailDomain": ""}
        make_stack(emulator, restored, code)
        self.after = Deployment(emulator, restored.stack, restored.binaries(), code)
        self.api = Api(self.after)


def published(api: Api) -> set[str]:
    return {key["kid"] for key in api.get("/.well-known/jwks.json").must(200)["keys"]}


@pytest.fixture(scope="module")
def story(emulator: Emulator, folder: Path, pytestconfig: pytest.Config) -> Iterator[Story]:
    binaries = pytestconfig.getoption("--binaries")
    if not binaries:
        pytest.skip("no --binaries")
    yield Story(emulator, binaries, folder)


def test_the_second_stack_uses_the_restored_tables(story: Story) -> None:
    names = {name: story.after.variable(name) for name in ("TABLE_NAME", "KEYS_TABLE_NAME")}
    assert all(name.startswith(f"{STACK}-2") for name in names.values())
    assert story.before.variable("TABLE_NAME") not in names.values()


def test_no_earlier_session_is_valid(story: Story) -> None:
    for pair in story.pairs.values():
        assert story.api.get("/user", pair["access_token"]).must(401)["code"] == "invalid_token"
        refreshed = story.api.post("/auth/refresh", {"refresh_token": pair["refresh_token"]})
        assert refreshed.must(401)["code"] == "invalid_refresh_token"


def test_a_new_key_signs_and_the_old_one_is_not_published(story: Story) -> None:
    story.api.login(VERA, PASSWORD).must(200)
    kids = published(story.api)
    assert kids and not kids & story.kids


def test_the_deleted_account_is_gone(story: Story) -> None:
    assert story.api.login(GRACE, PASSWORD).must(401)["code"] == "invalid_credentials"


def test_the_sweeper_erases_what_the_deleted_account_left(story: Story) -> None:
    user = story.pairs[GRACE]["user"]["id"]
    story.after.invoke("sweeper", (REPOSITORY / "events/sweeper.json").read_bytes())
    assert story.after.items_with(user) == []


def test_the_address_of_the_deleted_account_is_free(story: Story) -> None:
    before = len(story.after.mails(GRACE))
    story.api.register(GRACE, CHOSEN).must(202)
    eventually("a new email", lambda: len(story.after.mails(GRACE)) > before)
    story.api.post("/auth/confirm", {"token": story.api.confirmation_token(GRACE)}).must(200)
    assert story.api.login(GRACE, CHOSEN).must(200)["user"]["id"] != story.pairs[GRACE]["user"]["id"]


def test_old_and_new_password_are_unusable_until_another_is_chosen(story: Story) -> None:
    for password in (PASSWORD, CHANGED):
        assert story.api.login(ADA, password).must(401)["code"] == "invalid_credentials"
    story.api.post("/auth/password/forgot", {"email": ADA}).must(202)
    reset = {"token": story.api.mailed_token(ADA, "/auth/password/reset"), "password": CHOSEN}
    story.api.post("/auth/password/reset", reset).must(200)
    story.api.login(ADA, CHOSEN).must(200)


def test_a_second_factor_works_on(story: Story) -> None:
    challenge = story.api.login(JOAN, PASSWORD).must(202)["challenge_token"]
    # A code counts once, and this one was used to add the app: the next of its half-minute is as good.
    answer = {"challenge_token": challenge, "code": totp.code(story.secret, later=1)}
    story.api.post("/auth/login/verify", answer).must(200)
    challenge = story.api.login(JOAN, PASSWORD).must(202)["challenge_token"]
    story.api.post("/auth/login/verify", {"challenge_token": challenge, "recovery_code": story.recovery_codes[0]}).must(200)


def test_no_function_failed(story: Story) -> None:
    for binary in story.after.functions:
        errors = [record for record in story.after.records(binary) if record["log.level"] == "error"]
        assert not errors, f"{binary}: {errors[0]}"
