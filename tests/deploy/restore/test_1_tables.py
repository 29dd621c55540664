"""deploy/restore on tables with items as the store writes them."""

import runpy
import time
import uuid
from pathlib import Path

import pytest
from proof.emulator import Emulator
from proof.template import REPOSITORY
from proof.waiting import eventually

from .scene import PASSWORD_HASH, TOOL, Scene, next_second, start_tool, utc

WEEK = 7 * 24 * 3600


class Restored:
    """One restoration that many tests look at: who was there, what happened after the second, what is there now."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.scene = scene = Scene(emulator)
        self.ada = scene.account("Ada@Example.com", epoch=3, pending_email="new@example.com")
        # As it may be from before there were pictures and epochs.
        self.old = scene.account("old@example.com", picture=None, session_epoch=None)
        self.shown = {"upload": "u", "content": "c", "extension": "jpg"}
        self.grace = scene.account("grace@example.com", picture={"shown": self.shown})
        in_a_week = int(time.time() + WEEK) * 1000
        former = [{"address": "kept@example.com", "until": in_a_week}, {"address": "lapsed@example.com", "until": 1}]
        self.eve = scene.account("eve@example.com", former_emails=former)
        self.idn = scene.account("ida@Straße.example", key="ida@xn--strae-oqa.example")
        self.gone_before = scene.account("before@example.com")
        self.reserved = scene.account("rosa@example.com")
        scene.put({"pk": "EMAIL#left@example.com", "sk": "OWNER", "user": self.reserved, "reserved_until": in_a_week})
        self.session = {"pk": f"USER#{self.ada}", "sk": "SESSION#1", "epoch": 3, "rotation": 1}
        scene.put(self.session)
        scene.put({"pk": "LIMIT#login#192.0.2.1", "sk": "1", "count": 4})
        scene.put({"pk": "WEBHOOKS", "sk": "one", "url": "https://hooks.example.com/", "leased_until": 1})
        self.off = {"since": 1, "reason": "failing"}
        scene.put({"pk": "INVITATIONS", "sk": "one", "email": "grace@example.com", "link": "mac"})
        scene.put({"pk": "WEBHOOKS", "sk": "two", "url": "https://hooks.example.com/", "off": self.off})
        for kid in ("one", "two"):
            scene.signing_key(kid)
        for name in ("MAC#refresh", "MAC#cursor", "SEAL#totp"):
            scene.symmetric_key(name)
        scene.log("delete_user", "user_deleted", self.gone_before, time.time() - 3600)
        self.second = next_second()

        self.named = folder / "deleted"
        self.named.write_text(f"{self.idn}\n\n{self.eve}\n")
        scene.log("delete_user", "user_deleted", self.grace)
        # Somebody tried, and was refused: the same words in another event.
        scene.log("delete_user", "request_refused user_deleted", self.ada)
        self.newcomer = scene.account("newcomer@example.com")
        scene.put({"pk": f"USER#{self.ada}", "sk": "PROFILE", "id": self.ada, "email": "damaged"})
        self.run = scene.restore(self.second, "--deleted", str(self.named)).must()
        self.main, self.keys = scene.restored(self.second), scene.restored(self.second, "keys")
        self.items = scene.items(self.main)

    def profile(self, user: str) -> dict:
        return self.items[f"USER#{user}", "PROFILE"]


@pytest.fixture(scope="module")
def restored(emulator: Emulator, folder: Path) -> Restored:
    return Restored(emulator, folder)


def test_the_tables_are_as_they_were_at_the_second(restored: Restored) -> None:
    assert restored.profile(restored.ada)["email"] == "Ada@Example.com"
    assert (f"USER#{restored.newcomer}", "PROFILE") not in restored.items
    assert restored.items[f"USER#{restored.ada}", "SESSION#1"] == restored.session
    assert ("LIMIT#login#192.0.2.1", "1") in restored.items
    assert ("SIGNING", "one") in restored.scene.items(restored.keys)


def test_the_tables_from_before_are_not_changed(restored: Restored) -> None:
    items = restored.scene.items(restored.scene.sources["main"])
    assert items[f"USER#{restored.ada}", "PROFILE"]["email"] == "damaged"
    assert items[f"USER#{restored.old}", "PROFILE"].get("session_epoch") is None
    assert "revoked_at" not in items["KEYS", "one"]
    assert ("MAC#refresh", "KEY") in restored.scene.items(restored.scene.sources["keys"])


def test_a_table_that_is_being_restored_is_waited_for(restored: Restored) -> None:
    assert "is CREATING after" in restored.run.out


@pytest.mark.parametrize("which", ["main", "keys"])
def test_restored_tables_are_set_up_as_the_template_has_them(restored: Restored, which: str) -> None:
    dynamodb, source = restored.scene.dynamodb, restored.scene.sources[which]
    target = {"main": restored.main, "keys": restored.keys}[which]

    def settings(table: str) -> dict:
        described = restored.scene.describe(table)
        tags = dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"]
        recovery = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        return {
            "keys": described["KeySchema"],
            "indexes": {index["IndexName"]: index["Projection"] for index in described.get("GlobalSecondaryIndexes", [])},
            "encryption": described["SSEDescription"],
            "billing": described["BillingModeSummary"]["BillingMode"],
            "protected": described["DeletionProtectionEnabled"],
            "recovery": recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
            "ttl": dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"],
            "tags": {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")},
        }

    assert settings(target) == settings(source)
    assert settings(target)["protected"] and settings(target)["recovery"] == "ENABLED"
    assert settings(target)["tags"]["service"] == "users"


def test_every_account_begins_an_epoch_and_forgets_what_was_pending(restored: Restored) -> None:
    ada = restored.profile(restored.ada)
    assert ada["session_epoch"] == 4 and ada["tell_first_client"] is True
    assert "pending_email" not in ada and "known_clients" not in ada
    settled = uuid.UUID(ada["picture"]["settled"]["upload"])
    assert settled.version == 7 and settled.int >> 80 > (time.time() - 600) * 1000
    assert restored.profile(restored.reserved)["session_epoch"] == 1


def test_an_account_without_epoch_and_picture_begins_an_epoch_too(restored: Restored) -> None:
    old = restored.profile(restored.old)
    assert old["session_epoch"] == 1 and "settled" in old["picture"]


def test_the_key_of_refresh_tokens_goes_and_the_others_stay(restored: Restored) -> None:
    partitions = {pk for pk, _ in restored.scene.items(restored.keys)}
    assert partitions == {"SIGNING", "MAC#cursor", "SEAL#totp"}


def test_every_signing_key_is_revoked(restored: Restored) -> None:
    assert all("revoked_at" in restored.items["KEYS", kid] for kid in ("one", "two"))


def test_accounts_that_were_deleted_since_are_deleted_again(restored: Restored) -> None:
    for user, address in [
        (restored.grace, "grace@example.com"),
        (restored.eve, "eve@example.com"),
        (restored.idn, "ida@xn--strae-oqa.example"),
    ]:
        assert (f"USER#{user}", "PROFILE") not in restored.items
        assert (f"EMAIL#{address}", "OWNER") not in restored.items
        note = restored.items[f"USER#{user}", "ERASURE"]
        assert (note["user"], note["address"], note["sweeps"]) == (user, address, 0)
        assert note["pending_shard"] == f"PENDING#{uuid.UUID(user).bytes[15] % 4}"
        assert note["pending_at"] <= time.time() * 1000
    assert "3 of 3 deleted" in restored.run.out


def test_the_note_of_a_deletion_names_reserved_addresses(restored: Restored) -> None:
    assert restored.items[f"USER#{restored.eve}", "ERASURE"]["former"] == ["kept@example.com"]


def test_deletions_before_the_second_and_other_events_delete_nothing(restored: Restored) -> None:
    for user in (restored.gone_before, restored.ada, restored.reserved):
        assert (f"USER#{user}", "PROFILE") in restored.items


def test_passwords_stay_unless_a_reset_is_forced(restored: Restored) -> None:
    assert restored.profile(restored.ada)["password_hash"] == PASSWORD_HASH
    assert "--force-reset makes them unusable" in restored.run.out


def test_webhooks_are_off_until_enabled_again(restored: Restored) -> None:
    webhook = restored.items["WEBHOOKS", "one"]
    assert webhook["off"]["reason"] == "switched_off"
    assert "leased_until" not in webhook
    assert restored.items["WEBHOOKS", "two"]["off"] == restored.off


def test_links_of_invitations_are_worth_nothing(restored: Restored) -> None:
    assert "link" not in restored.items["INVITATIONS", "one"]


def test_the_parameters_of_the_next_deployment_are_printed(restored: Restored) -> None:
    key = restored.scene.describe(restored.main)["SSEDescription"]["KMSMasterKeyArn"]
    other = restored.scene.describe(restored.keys)["SSEDescription"]["KMSMasterKeyArn"]
    assert key != other
    stream = restored.scene.describe(restored.main)["LatestStreamArn"]
    assert [line.strip() for line in restored.run.out.splitlines()[-5:]] == [
        f'"TableName={restored.main}",',
        f'"TableKeyArn={key}",',
        f'"TableStreamArn={stream}",',
        f'"KeysTableName={restored.keys}",',
        f'"KeysTableKeyArn={other}",',
    ]


def test_a_second_run_on_tables_that_serve_changes_nothing(emulator: Emulator) -> None:
    scene = Scene(emulator)
    ada = scene.account("ada@example.com")
    scene.symmetric_key("MAC#refresh", "old")
    scene.signing_key("old")
    second = next_second()
    scene.restore(second, "--force-reset", "changed").must()

    # The service goes on with the restored tables: new keys, a new session, a new password.
    before, scene.sources = scene.sources, {"main": scene.restored(second), "keys": scene.restored(second, "keys")}
    scene.symmetric_key("MAC#refresh", "new")
    scene.signing_key("new")
    scene.log("change_password", "password_changed", ada)
    serving = {which: scene.items(table) for which, table in scene.sources.items()}
    scene.sources = before
    again = scene.restore(second, "--force-reset", "changed").must()
    assert again.out.count("Done at") == 5
    assert {which: scene.items(scene.restored(second, which)) for which in serving} == serving


def test_a_second_run_deletes_what_was_deleted_in_between(emulator: Emulator) -> None:
    scene = Scene(emulator)
    late = scene.account("late@example.com")
    second = next_second()
    scene.restore(second).must()
    scene.log("delete_user", "user_deleted", late)
    assert "1 of 1 deleted" in scene.restore(second).must().out
    assert (f"USER#{late}", "PROFILE") not in scene.items(scene.restored(second))


def test_a_dry_run_says_every_step_and_makes_nothing(emulator: Emulator) -> None:
    scene = Scene(emulator)
    gone = scene.account("gone@example.com")
    second = next_second()
    scene.log("delete_user", "user_deleted", gone)
    before = scene.tables()
    out = scene.restore(second, "--dry-run").must().out
    assert [line[:2] for line in out.splitlines() if line[0].isdigit()] == [f"{step}." for step in range(1, 8)]
    assert out.count("Would restore") == 2 and gone in out
    assert scene.tables() == before


def test_a_dry_run_on_restored_tables_changes_nothing(emulator: Emulator) -> None:
    scene = Scene(emulator)
    user = scene.account("ada@example.com")
    scene.signing_key("one")
    scene.symmetric_key("MAC#refresh")
    second = next_second()
    for which, source in scene.sources.items():
        scene.dynamodb.restore_table_to_point_in_time(
            SourceTableName=source, TargetTableName=scene.restored(second, which), RestoreDateTime=second
        )
        eventually("the table", lambda: scene.describe(scene.restored(second, which))["TableStatus"] == "ACTIVE")
    scene.log("delete_user", "user_deleted", user)
    before = {which: scene.items(scene.restored(second, which)) for which in scene.sources}
    out = scene.restore(second, "--dry-run", "--force-reset", "all").must().out
    assert f"Would delete {user}" in out
    assert {which: scene.items(scene.restored(second, which)) for which in scene.sources} == before
    assert scene.describe(scene.restored(second))["DeletionProtectionEnabled"] is False


def test_an_interrupted_run_goes_on_where_it_was(emulator: Emulator) -> None:
    scene = Scene(emulator)
    users = [scene.account(f"user-{number}@example.com") for number in range(30)]
    second = next_second()
    # Ten items are about five accounts with their addresses, at twenty accounts a second.
    process = start_tool(emulator, "--stack", scene.stack, "--at", utc(second), "--rate", "20", "--page", "10")
    for line in process.stdout:
        if "so far" in line and not line.startswith("   0"):
            break
    process.kill()
    process.wait()
    whole_pages = int(line.split()[0])
    table = scene.restored(second)

    def epochs() -> list[int]:
        return [scene.items(table)[f"USER#{user}", "PROFILE"]["session_epoch"] for user in users]

    begun = epochs().count(1)
    assert whole_pages <= begun < len(users), "it was interrupted too late"
    scene.restore(second, "--page", "10").must()
    # What was written of the page that was cut short begins another epoch, which does no harm; whole pages do not.
    assert min(epochs()) == 1 and epochs().count(2) <= begun - whole_pages
    assert "sessions_ended_at" in scene.items(table)["RESTORE", utc(second)]


@pytest.mark.parametrize("force", ["changed", "all"])
def test_a_forced_reset_makes_passwords_unusable(emulator: Emulator, force: str) -> None:
    scene = Scene(emulator)
    functions = {
        "change_password": "password_changed",
        "reset_password": "password_reset",
        "undo_email_change": "address_change_undone",
    }
    changed = [scene.account(f"{function}@example.com") for function in functions]
    same = scene.account("same@example.com")
    second = next_second()
    for user, (function, action) in zip(changed, functions.items(), strict=True):
        scene.log(function, action, user)
    scene.restore(second, "--force-reset", force).must()

    items = scene.items(scene.restored(second))
    owners = {one["user"]: one for (_, sk), one in items.items() if sk == "OWNER"}
    for user in [*changed, same]:
        password = items[f"USER#{user}", "PROFILE"]["password_hash"]
        assert owners[user]["hash_parameters"] == password.rpartition("$")[0], "a sign-in computes with these"
        if user == same and force == "changed":
            assert password == PASSWORD_HASH
        else:
            assert password.split("$")[:4] == PASSWORD_HASH.split("$")[:4], "it costs what it did"
            assert [len(part) for part in password.split("$")] == [len(part) for part in PASSWORD_HASH.split("$")]
            assert not set(password.split("$")[4:]) & set(PASSWORD_HASH.split("$")[4:])


def test_a_second_out_of_reach_restores_neither_table(emulator: Emulator) -> None:
    scene = Scene(emulator)
    before = scene.tables()
    run = scene.restore(int(time.time()) + 3600).must(1)
    assert "can be restored from" in run.error and scene.tables() == before
    run = scene.restore(int(time.time()) - 3600).must(1)
    assert "can be restored from" in run.error and scene.tables() == before


def test_a_table_without_recovery_is_not_restored(emulator: Emulator) -> None:
    scene = Scene(emulator)
    second = next_second()
    off = {"PointInTimeRecoveryEnabled": False}
    scene.dynamodb.update_continuous_backups(TableName=scene.sources["keys"], PointInTimeRecoverySpecification=off)
    run = scene.restore(second).must(1)
    assert "no point-in-time recovery" in run.error and scene.tables() == sorted(scene.sources.values())


@pytest.mark.parametrize("retention", [True, False])
def test_a_log_that_does_not_reach_back_is_refused(emulator: Emulator, retention: bool) -> None:
    scene = Scene(emulator)
    user, second = scene.account("ada@example.com"), next_second()
    group = scene.group("delete_user")
    scene.logs.delete_log_group(logGroupName=group)
    if retention:
        eventually("a later second", lambda: time.time() > second + 1)
        scene.logs.create_log_group(logGroupName=group)
    run = scene.restore(second).must(1)
    assert group in run.error and "--deleted FILE" in run.error
    assert (f"USER#{user}", "PROFILE") in scene.items(scene.restored(second))
    scene.restore(second, "--no-logs").must()


def test_a_deleted_table_is_restored_from_its_backup(emulator: Emulator, folder: Path) -> None:
    scene = Scene(emulator, stage="test")
    ada = scene.account("ada@example.com")
    backups = {
        which: scene.dynamodb.create_backup(TableName=table, BackupName="as-of-the-deletion")["BackupDetails"]["BackupArn"]
        for which, table in scene.sources.items()
    }
    second = next_second()
    for table in scene.sources.values():
        scene.dynamodb.delete_table(TableName=table)
    run = scene.restore(second, "--no-logs").must(1)
    assert "aws dynamodb restore-table-from-backup" in run.error

    for which, backup in backups.items():
        scene.dynamodb.restore_table_from_backup(TargetTableName=f"{scene.stack}-{which}", BackupArn=backup)
    names = ["--restored-table", f"{scene.stack}-main", "--restored-keys-table", f"{scene.stack}-keys"]
    out = scene.restore(second, "--no-logs", *names).must().out
    assert f'"TableName={scene.stack}-main"' in out
    assert scene.items(f"{scene.stack}-main")[f"USER#{ada}", "PROFILE"]["session_epoch"] == 1
    assert scene.describe(f"{scene.stack}-main")["DeletionProtectionEnabled"] is True
    tags = scene.dynamodb.list_tags_of_resource(ResourceArn=scene.describe(f"{scene.stack}-main")["TableArn"])["Tags"]
    assert {"Key": "service", "Value": "users"} in tags


def test_the_tables_of_a_stack_that_is_gone_can_be_named(emulator: Emulator) -> None:
    scene = Scene(emulator)
    ada, second = scene.account("ada@example.com"), next_second()
    scene.stack = f"{scene.stack}-gone"
    assert "specify it with --table" in scene.restore(second, "--no-logs").must(1).error
    tables = ["--table", scene.sources["main"], "--keys-table", scene.sources["keys"]]
    scene.restore(second, "--no-logs", *tables).must()
    assert scene.items(scene.restored(second))[f"USER#{ada}", "PROFILE"]["session_epoch"] == 1


def test_tables_that_came_from_elsewhere_need_no_stack(emulator: Emulator) -> None:
    scene = Scene(emulator)
    ada, second = scene.account("ada@example.com"), next_second()
    scene.stack = "drill"
    names = ["--restored-table", scene.sources["main"], "--restored-keys-table", scene.sources["keys"]]
    out = scene.restore(second, "--no-logs", *names).must().out
    assert f'"TableName={scene.sources["main"]}"' in out and "no stack drill" in out
    assert scene.items(scene.sources["main"])[f"USER#{ada}", "PROFILE"]["session_epoch"] == 1


def test_tables_that_serve_are_not_taken_for_restored_ones(emulator: Emulator) -> None:
    scene = Scene(emulator)
    scene.account("ada@example.com")
    scene.symmetric_key("MAC#refresh")
    second = next_second()
    before = {which: scene.items(table) for which, table in scene.sources.items()}
    names = ["--restored-table", scene.sources["main"], "--restored-keys-table", scene.sources["keys"]]
    assert "already in use" in scene.restore(second, *names).must(1).error
    assert {which: scene.items(table) for which, table in scene.sources.items()} == before


def test_the_tool_names_functions_and_events_that_there_are() -> None:
    tool = runpy.run_path(str(TOOL))
    sources = "".join(path.read_text() for path in (REPOSITORY / "shared/src").rglob("*.rs"))
    for function, actions in (tool["DELETIONS"] | tool["NEW_PASSWORDS"]).items():
        assert (REPOSITORY / f"events/{function}.json").is_file(), function
        assert all(f'"{action}"' in sources for action in actions), actions


def test_an_account_without_an_address_is_reported(emulator: Emulator) -> None:
    scene = Scene(emulator)
    lost = scene.account("lost@example.com", key="elsewhere@example.com")
    scene.put({"pk": "EMAIL#elsewhere@example.com", "sk": "OWNER", "user": "somebody"})
    second = next_second()
    scene.log("delete_user", "user_deleted", lost)
    run = scene.restore(second).must(1)
    assert lost in run.error
    assert "KeysTableKeyArn" in run.out, "the rest is done"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--at", "2026-11-29T12:00:00"], "with a time zone"),
        (["--at", "2026-11-29T12:00:00.5Z"], "a whole second"),
        (["--at", "yesterday"], "a whole second"),
        (["--deleted", "no-such-file"], "No such file"),
        (["--deleted", "{file}"], "not an ID"),
        (["--rate", "0"], "above 0"),
        (["--no-logs", "--force-reset", "changed"], "reads the log"),
        (["--restored-table", "restored"], "must begin with users-"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    emulator: Emulator, folder: Path, arguments: list[str], reason: str
) -> None:
    file = folder / "no-ids"
    file.write_text("ada@example.com\n")
    arguments = [argument.format(file=file) for argument in arguments]
    process = start_tool(emulator, "--stack", "users", "--at", "2026-11-29T12:00:00Z", *arguments)
    _, error = process.communicate()
    assert process.returncode == 2 and reason in error
