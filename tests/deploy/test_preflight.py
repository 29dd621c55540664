"""deploy/preflight: each check against an account that passes and against those that do not, and all on an emulator."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import boto3
import botocore.exceptions
import dns.flags
import dns.message
import dns.resolver
import dns.rrset
import pytest
import scripts
import stack
from botocore.stub import Stubber
from cfnlint.helpers import REGIONS
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

preflight = scripts.load("preflight")

REGION, ACCOUNT = "eu-central-1", "111122223333"
STACK = "users-production"
PARAMETERS = {"Stage": "production", "MailAddress": "no-reply@mail.acme.test", "AlarmEmail": "alarms@acme.test"}
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1"
DOMAIN = {"DomainName": "users.acme.test", "CertificateArn": CERTIFICATE, "HostedZoneId": "Z0EXAMPLE"}
NOW = datetime.now(UTC)


class Account:
    """Clients of AWS that answer what they were told to, in the order in which they were."""

    def __init__(self, **changed):
        self.clients = {}
        self.stubs = []
        self.records = {}
        self.target = preflight.Target(STACK, REGION, PARAMETERS | changed, self.client, self.lookup)
        self.target.account = ACCOUNT

    def client(self, service):
        if service not in self.clients:
            client = boto3.client(service, region_name=REGION, aws_access_key_id="id", aws_secret_access_key="secret")
            client.stub = Stubber(client)
            client.stub.activate()
            self.clients[service] = client
        return self.clients[service]

    def lookup(self, name, kind):
        return self.records.get((name, kind), [])

    def says(self, service, method, answer, **asked):
        self.client(service).stub.add_response(method, answer, asked or None)
        return self

    def refuses(self, service, method, error="AccessDenied", message="no"):
        self.client(service).stub.add_client_error(method, error, message)
        return self

    def finds(self, check):
        """What a check finds, once it has asked all that it was to ask."""
        found = list(preflight.findings(self.target, getattr(preflight, f"check_{check}")))
        for client in self.clients.values():
            client.stub.assert_no_pending_responses()
        return found


def only(found, level, words):
    """The one finding is of this level, and has these words."""
    (finding,) = found
    assert finding.level == level and words in finding.text, finding


def with_stack(account, status="UPDATE_COMPLETE", resources=None, **more):
    """There is this stack; with its resources, if they are to be asked for."""
    described = {
        "StackName": STACK,
        "StackStatus": status,
        "CreationTime": NOW,
        "EnableTerminationProtection": True,
    } | more
    account.says("cloudformation", "describe_stacks", {"Stacks": [described]}, StackName=STACK)
    if resources is not None:
        account.says("cloudformation", "list_stack_resources", {"StackResourceSummaries": resources}, StackName=STACK)
    return account


def without_stack(account):
    return account.refuses(
        "cloudformation", "describe_stacks", "ValidationError", f"Stack with id {STACK} does not exist"
    )


def resource(kind, name):
    return {
        "LogicalResourceId": "Any",
        "ResourceType": kind,
        "PhysicalResourceId": name,
        "LastUpdatedTimestamp": NOW,
        "ResourceStatus": "CREATE_COMPLETE",
    }


# ---- Caller, region, names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arn, level",
    [(f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/ada", "ok"), (f"arn:aws:iam::{ACCOUNT}:root", "warning")],
)
def test_the_caller_is_told_and_should_not_be_the_owner(arn, level):
    account = Account().says("sts", "get_caller_identity", {"Account": ACCOUNT, "Arn": arn, "UserId": "1"})
    only(account.finds("identity"), level, arn)


def test_without_credentials_nothing_else_is_looked_at(capsys):
    account = Account().refuses("sts", "get_caller_identity", "InvalidClientTokenId", "the token is invalid")
    assert preflight.report(account.target) == 1
    out = capsys.readouterr().out
    assert out.startswith("problem  caller: ") and "region is not enabled" in out
    assert len(out.splitlines()) == 1


def test_an_aws_that_cannot_be_reached_is_not_called_a_refusal():
    for error in (
        botocore.exceptions.EndpointConnectionError(endpoint_url="https://sts.eu-central-1.amazonaws.com/"),
        botocore.exceptions.ProxyConnectionError(proxy_url="http://127.0.0.1:9"),
    ):
        assert preflight.unreachable(error, REGION).startswith("AWS cannot be reached: ")


def test_an_unknown_profile_is_named_in_one_line(capsys, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nosuch")
    with pytest.raises(SystemExit):
        preflight.main([])
    assert capsys.readouterr().err.splitlines()[-1].endswith("The config profile (nosuch) could not be found: correct AWS_PROFILE")


def test_the_regions_are_those_that_have_every_type_of_the_template():
    templates = [stack.TEMPLATE, *stack.ROOT.glob("stacks/*.yaml")]
    types = {
        kind for file in templates for kind in re.findall(r"Type: (AWS::(?!Serverless)\w+::\w+)", file.read_text())
    }
    lacking = {region: types - set(PROVIDER_SCHEMA_MANAGER.get_resource_types(region=region)) for region in REGIONS}
    lacking = {region: missing for region, missing in lacking.items() if missing}
    assert preflight.WITHOUT.keys() == lacking.keys()
    for region, named in preflight.WITHOUT.items():
        assert named in lacking[region], region


def test_a_region_that_lacks_a_type_is_a_problem():
    account = Account()
    only(account.finds("region"), "ok", REGION)
    account.target.region = "eu-south-2"
    only(account.finds("region"), "problem", "AWS::SES::ConfigurationSet")


def listed(account, *names, nested=()):
    summaries = [{"StackName": name, "StackStatus": "CREATE_COMPLETE", "CreationTime": NOW} for name in names]
    summaries += [
        {"StackName": name, "StackStatus": "CREATE_COMPLETE", "CreationTime": NOW, "ParentId": "arn", "RootId": "arn"}
        for name in nested
    ]
    summaries.append({"StackName": f"{STACK}-old", "StackStatus": "DELETE_COMPLETE", "CreationTime": NOW})
    return account.says("cloudformation", "list_stacks", {"StackSummaries": summaries})


def test_a_name_that_is_no_other_stacks_beginning_is_right():
    account = listed(Account(), STACK, "users-staging", "github-oidc", f"{STACK}-front", nested=[f"{STACK}-Data-1"])
    only(account.finds("stack_name"), "ok", STACK)


@pytest.mark.parametrize("other", [f"{STACK}-tools", "users"])
def test_two_stack_names_where_one_prefixes_the_other_are_a_problem(other):
    only(listed(Account(), STACK, other).finds("stack_name"), "problem", f"{STACK} and {other}")


@pytest.mark.parametrize("name", ["users", "users-production-2"])
def test_a_name_that_the_pipeline_would_not_take_is_warned_of(name):
    account = Account()
    account.target.stack = name
    found = listed(account).finds("stack_name")
    assert found[0].level == "warning" and "23 lowercase" in found[0].text


def test_a_name_that_makes_functions_unknown_to_their_role_is_a_problem():
    account = Account()
    account.target.stack = "a-very-long-name-indeed-production"
    found = listed(account).finds("stack_name")
    assert found[0].level == "problem" and "23 characters" in found[0].text


def test_the_rule_of_names_is_that_of_the_pipeline():
    pattern = re.search(r"AllowedPattern: \^(.*-\(dev.*)\$", (stack.ROOT / "deploy/github-oidc.yaml").read_text())[1]
    assert preflight.STACK_NAME == pattern


# ---- The stack and what is left of an earlier one --------------------------------------------------------------------


def test_a_stack_that_is_not_there_is_fine():
    only(without_stack(Account()).finds("stack_state"), "ok", "no stack")


def test_a_stack_whose_change_set_was_never_executed_counts_as_none():
    only(with_stack(Account(), "REVIEW_IN_PROGRESS").finds("stack_state"), "ok", "no stack")


@pytest.mark.parametrize(
    "status, level, words",
    [
        ("CREATE_COMPLETE", "ok", "CREATE_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE", "ok", "UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_IN_PROGRESS", "problem", "wait"),
        ("ROLLBACK_COMPLETE", "problem", "deploy/stack recover"),
        ("ROLLBACK_FAILED", "problem", "deploy/stack recover"),
        ("UPDATE_ROLLBACK_FAILED", "problem", "deploy/stack recover"),
        ("CREATE_FAILED", "problem", "deploy/stack recover"),
        ("UPDATE_FAILED", "problem", "deploy/stack recover"),
        ("DELETE_FAILED", "problem", "deploy/stack recover"),
    ],
)
def test_a_stack_that_cannot_be_deployed_is_a_problem(status, level, words):
    only(with_stack(Account(), status).finds("stack_state"), level, words)


def test_the_pipeline_recovers_what_preflight_reports_as_stuck():
    recovers = set(scripts.load("stack").RECOVERY)
    assert preflight.STUCK == {status for status in recovers if not status.endswith("IN_PROGRESS")}


def test_a_stack_whose_role_is_gone_is_a_problem():
    role = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-cloudformation"
    account = with_stack(Account(), RoleARN=role).refuses("iam", "get_role", "NoSuchEntity", "not found")
    found = account.finds("stack_state")
    assert [finding.level for finding in found] == ["ok", "problem"] and "no longer exists" in found[1].text
    there = {"Path": "/", "RoleName": "a", "RoleId": "A" * 16, "Arn": role, "CreateDate": NOW}
    account = with_stack(Account(), RoleARN=role).says(
        "iam", "get_role", {"Role": there}, RoleName=f"{STACK}-cloudformation"
    )
    only(account.finds("stack_state"), "ok", "UPDATE_COMPLETE")


def test_a_production_stack_that_anyone_may_delete_is_warned_of():
    found = with_stack(Account(), EnableTerminationProtection=False).finds("stack_state")
    assert found[1].level == "warning" and "update-termination-protection" in found[1].text
    only(with_stack(Account(Stage="dev"), EnableTerminationProtection=False).finds("stack_state"), "ok", "")


def groups(account, *present):
    """The log groups of an account, by the folder that is asked for."""
    names = [name for kind, name in account.target.given_names if kind == "AWS::Logs::LogGroup"]
    for prefix in sorted({name.rpartition("/")[0] + "/" for name in names}):
        found = [{"logGroupName": name} for name in present if name.startswith(prefix)]
        account.says("logs", "describe_log_groups", {"logGroups": found}, logGroupNamePrefix=prefix)
    return account


LOGS = f"/aws/lambda/{STACK}/sweeper"


def test_an_account_without_an_earlier_stack_has_nothing_left():
    account = Account().says("dynamodb", "list_tables", {"TableNames": ["users-staging-Table-1", "other"]})
    found = groups(without_stack(account), "/aws/lambda/users-staging/sweeper").finds("leftovers")
    assert [finding.level for finding in found] == ["ok", "ok"]


def test_tables_and_log_groups_of_an_earlier_stack_are_reported():
    account = Account().says("dynamodb", "list_tables", {"TableNames": [f"{STACK}-Table-1"]})
    tables, logs = groups(without_stack(account), LOGS).finds("leftovers")
    assert tables.level == "warning" and f"{STACK}-Table-1" in tables.text
    assert logs.level == "problem" and LOGS in logs.text


def test_resources_of_the_stack_and_its_nested_stacks_are_not_leftovers():
    nested = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}-Data-1/1"
    account = Account().says("dynamodb", "list_tables", {"TableNames": [f"{STACK}-Data-1-Table-1"]})
    held = [resource("AWS::Logs::LogGroup", LOGS), resource("AWS::CloudFormation::Stack", nested)]
    with_stack(account, resources=held)
    inner = {"StackResourceSummaries": [resource("AWS::DynamoDB::Table", f"{STACK}-Data-1-Table-1")]}
    account.says("cloudformation", "list_stack_resources", inner, StackName=nested)
    found = groups(account, LOGS).finds("leftovers")
    assert [finding.level for finding in found] == ["ok", "ok"]


def test_a_table_that_a_parameter_names_is_in_use():
    restored = f"{STACK}-20261129T120000Z"
    account = Account(TableName=restored).says("dynamodb", "list_tables", {"TableNames": [restored]})
    assert [finding.level for finding in groups(without_stack(account)).finds("leftovers")] == ["ok", "ok"]


# ---- Buckets ---------------------------------------------------------------------------------------------------------

BUCKET = "some-uploads"


@pytest.fixture
def template(tmp_path):
    """A small template with names of its own, and one nested in it."""
    (tmp_path / "template.yaml").write_text("""
Parameters:
  Owner: {Type: String, Default: some}
Resources:
  Uploads: {Type: "AWS::S3::Bucket", Properties: {BucketName: !Sub "${Owner}-uploads"}}
  Pictures: {Type: "AWS::S3::Bucket", Properties: {BucketEncryption: {}}}
  Unknown: {Type: "AWS::S3::Bucket", Properties: {BucketName: !GetAtt Other.Name}}
  Policy: {Type: "AWS::S3::BucketPolicy", Properties: {Bucket: !Ref Uploads}}
  Data:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: data.yaml, Parameters: {Service: !Ref "AWS::StackName"}}
""")
    (tmp_path / "data.yaml").write_text("""
Parameters: {Service: {Type: String}}
Resources:
  Logs: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: !Sub "/aws/lambda/${Service}/data"}}
  Own: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: !Sub "/aws/lambda/${AWS::StackName}/own"}}
""")
    return tmp_path / "template.yaml"


def test_explicit_resource_names_are_read_from_nested_templates_too(template):
    account = Account()
    account.target.template = template
    assert account.target.given_names == [
        ("AWS::S3::Bucket", BUCKET),
        ("AWS::Logs::LogGroup", f"/aws/lambda/{STACK}/data"),
    ]


def test_the_log_groups_of_the_template_have_names_that_can_be_known():
    names = {name for kind, name in Account().target.given_names if kind == "AWS::Logs::LogGroup"}
    assert len(names) > 40 and all(STACK in name for name in names)


@pytest.mark.parametrize(
    "error, level, words",
    [("404", "ok", "is available"), ("403", "problem", "another account"), (None, "problem", "already exists")],
)
def test_a_bucket_whose_name_is_taken_is_a_problem(template, error, level, words):
    account = without_stack(Account())
    account.target.template = template
    if error:
        account.refuses("s3", "head_bucket", error, "")
    else:
        account.says("s3", "head_bucket", {}, Bucket=BUCKET)
    only(account.finds("buckets"), level, words)


def test_a_template_that_names_no_bucket_needs_no_name(template):
    account = Account()
    account.target.template = template.parent / "data.yaml"
    only(account.finds("buckets"), "ok", "names all buckets")


def test_the_stacks_own_bucket_is_fine(template):
    account = with_stack(Account(), resources=[resource("AWS::S3::Bucket", BUCKET)])
    account.target.template = template
    only(account.finds("buckets"), "ok", "belongs to the stack")


# ---- Lambda and quotas -----------------------------------------------------------------------------------------------


def lambda_settings(account, concurrent=1000, used=0):
    limit = {"TotalCodeSize": 80 * 10**9, "ConcurrentExecutions": concurrent}
    answer = {"AccountLimit": limit, "AccountUsage": {"TotalCodeSize": used}}
    return account.says("lambda", "get_account_settings", answer)


def test_an_account_with_room_for_functions_is_fine():
    found = lambda_settings(Account(AccountConcurrency="1000")).finds("lambda")
    assert [finding.level for finding in found] == ["ok", "ok"]


@pytest.mark.parametrize("stage, level", [("production", "problem"), ("staging", "problem"), ("dev", "warning")])
def test_a_new_accounts_ten_functions_at_once_are_too_few(stage, level):
    found = lambda_settings(Account(Stage=stage), concurrent=10).finds("lambda")[0]
    assert found.level == level and "region is 10;" in found.text and "L-B99A9384" in found.text


def test_the_alarm_on_concurrency_goes_by_the_accounts_number():
    found = lambda_settings(Account(AccountConcurrency="10")).finds("lambda")
    assert [finding.level for finding in found] == ["ok", "warning", "ok"] and "set 1000" in found[1].text
    assert len(lambda_settings(Account(AccountConcurrency="1000")).finds("lambda")) == 2


def test_code_storage_that_is_nearly_full_is_a_problem():
    found = lambda_settings(Account(), used=75 * 10**9).finds("lambda")[-1]
    assert found.level == "problem" and "75.0 of 80.0 GB" in found.text


def quotas(account, stacks=2000, keys=100_000, requests=10_000, used_keys=5):
    account.says("kms", "list_keys", {"Keys": [{"KeyId": str(number)} for number in range(used_keys)]})
    listed(account, "a-dev", "b-dev")
    for value, (service, code, _) in zip(
        (stacks, keys, requests), (preflight.STACKS, preflight.KEYS, preflight.REQUESTS), strict=True
    ):
        account.says(
            "service-quotas",
            "get_service_quota",
            {"Quota": {"Value": float(value)}},
            ServiceCode=service,
            QuotaCode=code,
        )
    return account


def test_an_account_with_the_usual_quotas_is_fine():
    found = quotas(Account()).finds("quotas")
    assert [finding.level for finding in found] == ["ok", "ok", "ok"]
    assert "2,000 allowed, 2 used" in found[0].text and "5 used" in found[1].text


@pytest.mark.parametrize("place, changed", [(0, {"stacks": 11}), (1, {"keys": 7}), (2, {"requests": 499})])
def test_a_quota_that_leaves_no_room_is_a_problem(place, changed):
    found = quotas(Account(), **changed).finds("quotas")
    assert [finding.level == "problem" for finding in found] == [at == place for at in range(3)]
    assert "Request an increase: quota L-" in found[place].text


def test_the_stacks_that_are_counted_are_those_of_the_template():
    assert preflight.NEW_STACKS == len(stack.stacks())


def test_a_quota_that_was_never_changed_is_the_default():
    account = Account().refuses("service-quotas", "get_service_quota", "NoSuchResourceException")
    account.says("service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 7.0}})
    assert preflight.quota(account.target, "kms", "L-C2F1777E") == 7


# ---- CloudFront ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity, level, words", [(1, "ok", "already has"), (0, "warning", "must be verified")])
def test_an_account_that_never_made_a_distribution_may_have_to_ask(quantity, level, words):
    distributions = {"Marker": "", "MaxItems": 1, "IsTruncated": False, "Quantity": quantity}
    account = Account(Pictures="on").says(
        "cloudfront", "list_distributions", {"DistributionList": distributions}, MaxItems="1"
    )
    only(account.finds("cloudfront"), level, words)


@pytest.mark.parametrize("pictures", ["off", "https://pictures.acme.test"])
def test_a_stack_without_a_distribution_needs_none(pictures):
    only(Account(Pictures=pictures).finds("cloudfront"), "ok", f"Pictures is {pictures}")


# ---- Email -----------------------------------------------------------------------------------------------------------


def ses(account, **changed):
    answer = {
        "ProductionAccessEnabled": True,
        "SendingEnabled": True,
        "EnforcementStatus": "HEALTHY",
        "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 0.0},
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    }
    return account.says("sesv2", "get_account", answer | changed)


def test_an_account_that_may_send_is_fine():
    found = ses(Account()).finds("ses")
    assert [finding.level for finding in found] == ["ok", "ok"] and "50,000 emails a day, 14 a second" in found[0].text


@pytest.mark.parametrize(
    "stage, changed, level, words",
    [
        ("production", {"ProductionAccessEnabled": False}, "problem", "sandbox"),
        ("dev", {"ProductionAccessEnabled": False}, "warning", "sandbox"),
        ("production", {"SendingEnabled": False}, "problem", "paused"),
        ("production", {"EnforcementStatus": "PROBATION"}, "warning", "under review"),
        ("production", {"EnforcementStatus": "SHUTDOWN"}, "problem", "shut"),
        (
            "production",
            {"SuppressionAttributes": {"SuppressedReasons": ["BOUNCE"]}},
            "warning",
            "put-account-suppression",
        ),
    ],
)
def test_an_account_that_may_not_send_to_people_is_told(stage, changed, level, words):
    only([one for one in ses(Account(Stage=stage), **changed).finds("ses") if one.level != "ok"], level, words)


def identities(account, *known, **attributes):
    """SES knows these of the names that may let the sender send. They are asked for until one is known."""
    for name in ("no-reply@mail.acme.test", "mail.acme.test", "acme.test"):
        if name in known:
            answer = {"IdentityType": "DOMAIN", "VerifiedForSendingStatus": True} | attributes
            account.says("sesv2", "get_email_identity", answer, EmailIdentity=name)
            break
        account.refuses("sesv2", "get_email_identity", "NotFoundException", "not found")
    return account


@pytest.mark.parametrize("name", ["no-reply@mail.acme.test", "mail.acme.test", "acme.test"])
def test_a_sender_is_verified_by_its_address_its_domain_or_one_above(name):
    only(identities(Account(), name).finds("sender"), "ok", f"{name} is verified")


def test_a_sender_that_ses_has_not_verified_is_a_problem():
    account = identities(Account(), "acme.test", VerifiedForSendingStatus=False, VerificationStatus="PENDING")
    only(account.finds("sender"), "problem", "acme.test is not verified (PENDING)")


def test_an_unknown_sender_is_a_problem_unless_the_stack_adds_it():
    only(identities(Account()).finds("sender"), "problem", "neither no-reply@mail.acme.test")
    only(identities(Account(MailDomain="acme.test")).finds("sender"), "ok", "the stack adds it")


def test_a_domain_that_ses_knows_cannot_be_added_by_a_new_stack():
    found = without_stack(identities(Account(MailDomain="acme.test"), "acme.test")).finds("sender")
    assert [finding.level for finding in found] == ["problem", "ok"] and "cannot add it" in found[0].text
    own = [resource("AWS::SES::EmailIdentity", "acme.test")]
    only(
        with_stack(identities(Account(MailDomain="acme.test"), "acme.test"), resources=own).finds("sender"),
        "ok",
        "verified",
    )


@pytest.mark.parametrize("domain", ["other.test", "me.test"])
def test_a_sender_of_another_domain_is_a_problem(domain):
    found = identities(Account(MailDomain=domain), "acme.test").finds("sender")
    assert found[0].level == "problem" and f"is not in MailDomain, {domain}" in found[0].text


@pytest.mark.parametrize("stage, level", [("production", "problem"), ("dev", "warning")])
def test_the_examples_sender_sends_nothing(stage, level):
    account = Account(Stage=stage, MailAddress="no-reply@example.com")
    only(account.finds("sender"), level, "is the example address")
    assert account.finds("mail_dns") == []


SPF = {("mail.acme.test", "TXT"): ["v=spf1 include:amazonses.com ~all", "unrelated"]}
DMARC = {("_dmarc.acme.test", "TXT"): ["v=DMARC1; p=none"]}
DKIM = {(f"{token}._domainkey.acme.test", "CNAME"): [f"{token}.dkim.amazonses.com"] for token in ("a", "b", "c")}
SIGNED = {"DkimAttributes": {"SigningEnabled": True, "Tokens": ["a", "b", "c"]}}
MAIL_FROM = {
    ("bounce.acme.test", "MX"): [f"10 feedback-smtp.{REGION}.amazonses.com"],
    ("bounce.acme.test", "TXT"): ["v=spf1 include:amazonses.com ~all"],
}


def mail_dns(records, **attributes):
    account = identities(Account(), "acme.test", **(SIGNED | attributes))
    account.records = records
    return account.finds("mail_dns")


def test_a_domain_whose_records_are_published_is_fine():
    found = mail_dns(SPF | DMARC | DKIM | MAIL_FROM, MailFromAttributes=mail_from())
    assert [finding.level for finding in found] == ["ok", "ok", "ok"], found


def mail_from():
    return {
        "MailFromDomain": "bounce.acme.test",
        "MailFromDomainStatus": "SUCCESS",
        "BehaviorOnMxFailure": "REJECT_MESSAGE",
    }


@pytest.mark.parametrize(
    "records, level, words",
    [
        (SPF | DMARC, "problem", "a._domainkey.acme.test CNAME a.dkim.amazonses.com; b."),
        (
            SPF | DMARC | DKIM | {("c._domainkey.acme.test", "CNAME"): ["other.test"]},
            "problem",
            "missing from DNS: c.",
        ),
        (DMARC | DKIM, "warning", "no SPF record"),
        (DMARC | DKIM | {("mail.acme.test", "TXT"): ["v=spf1 -all", "v=spf1 ~all"]}, "warning", "2 SPF records"),
        (SPF | DKIM, "warning", "_dmarc.mail.acme.test TXT"),
    ],
)
def test_a_missing_record_is_reported_with_the_value_to_publish(records, level, words):
    only([finding for finding in mail_dns(records) if finding.level != "ok"], level, words)


def test_a_mail_from_domain_needs_its_two_records():
    found = mail_dns(SPF | DMARC | DKIM, MailFromAttributes=mail_from())
    assert [one.level for one in found] == ["ok", "warning", "warning", "ok", "ok"]
    assert "bounce.acme.test MX 10 feedback-smtp" in found[1].text and "bounce.acme.test TXT" in found[2].text


def test_an_identity_without_dkim_is_warned_of():
    found = mail_dns(SPF | DMARC, DkimAttributes={"SigningEnabled": False})
    assert found[0].level == "warning" and "no DKIM keys" in found[0].text


# ---- Names of the DNS ------------------------------------------------------------------------------------------------


@pytest.fixture
def resolver():
    """A resolver whose only server is on this machine, and knows a few names of acme.test."""
    zone = {
        ("acme.test.", "TXT"): ['"v=spf1 include:amazonses.com " "~all"', '"two"'],
        ("a._domainkey.acme.test.", "CNAME"): ["a.dkim.amazonses.com."],
        ("acme.test.", "MX"): ["10 mx.acme.test."],
    }
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve():
        while True:
            packet, client = server.recvfrom(4096)
            if not packet:
                return
            question = dns.message.from_wire(packet)
            asked = question.question[0]
            name, kind = asked.name.to_text(), dns.rdatatype.to_text(asked.rdtype)
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            if name == "down.test.":
                answer.set_rcode(dns.rcode.SERVFAIL)
            elif not any(name == known for known, _ in zone):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif (name, kind) in zone:
                answer.answer.append(dns.rrset.from_text_list(name, 60, "IN", kind, zone[name, kind]))
            server.sendto(answer.to_wire(), client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    found = dns.resolver.Resolver(configure=False)
    found.nameservers, found.port, found.lifetime = ["127.0.0.1"], server.getsockname()[1], 5
    yield found
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", server.getsockname())
    thread.join()
    server.close()


@pytest.mark.parametrize(
    "name, kind, records",
    [
        # Pieces of one text are one.
        ("acme.test", "TXT", ["v=spf1 include:amazonses.com ~all", "two"]),
        ("a._domainkey.acme.test", "CNAME", ["a.dkim.amazonses.com"]),
        ("acme.test", "MX", ["10 mx.acme.test"]),
        ("acme.test", "NS", []),
        ("none.test", "TXT", []),
    ],
)
def test_records_are_read_from_the_dns(resolver, name, kind, records):
    assert sorted(preflight.lookup(resolver, name, kind)) == sorted(records)


def test_an_unresponsive_dns_server_is_a_warning_and_not_a_missing_record(resolver):
    account = identities(Account(MailAddress="no-reply@mail.acme.test"), "acme.test", **SIGNED)
    account.target.lookup = lambda name, kind: preflight.lookup(resolver, "down.test", kind)
    only(account.finds("mail_dns"), "warning", "could not be checked")


# ---- The API's name --------------------------------------------------------------------------------------------------


def certificate(account, **changed):
    answer = {"DomainName": "users.acme.test", "Status": "ISSUED", "NotAfter": NOW + timedelta(days=200)} | changed
    return account.says("acm", "describe_certificate", {"Certificate": answer}, CertificateArn=CERTIFICATE)


@pytest.mark.parametrize("names", [["users.acme.test"], ["acme.test", "*.acme.test"]])
def test_a_certificate_that_is_issued_for_the_name_is_fine(names):
    only(certificate(Account(**DOMAIN), SubjectAlternativeNames=names).finds("certificate"), "ok", "is issued")


@pytest.mark.parametrize(
    "changed, level, words",
    [
        ({"Status": "PENDING_VALIDATION"}, "problem", "PENDING_VALIDATION"),
        ({"SubjectAlternativeNames": ["acme.test"]}, "problem", "not for users.acme.test"),
        ({"SubjectAlternativeNames": ["*.test"]}, "problem", "not for users.acme.test"),
        ({"NotAfter": NOW + timedelta(days=20)}, "warning", "expires on"),
    ],
)
def test_a_certificate_that_will_not_do_is_told(changed, level, words):
    only(certificate(Account(**DOMAIN), **changed).finds("certificate"), level, words)


def test_a_certificate_of_another_region_or_account_is_a_problem():
    only(
        Account(**DOMAIN | {"CertificateArn": CERTIFICATE.replace(REGION, "us-east-1")}).finds("certificate"),
        "problem",
        "us-east-1",
    )
    missing = Account(**DOMAIN).refuses("acm", "describe_certificate", "ResourceNotFoundException")
    only(missing.finds("certificate"), "problem", "no certificate")
    only(Account(**DOMAIN | {"CertificateArn": ""}).finds("certificate"), "problem", "requires a CertificateArn")
    only(Account().finds("certificate"), "ok", "no DomainName")


SERVERS = ["ns-1.awsdns-1.test", "ns-2.awsdns-2.test"]


def zone(account, name="acme.test.", private=False, records=()):
    found = {"Id": "/hostedzone/Z0EXAMPLE", "Name": name, "CallerReference": "1", "Config": {"PrivateZone": private}}
    account.says(
        "route53", "get_hosted_zone", {"HostedZone": found, "DelegationSet": {"NameServers": SERVERS}}, Id="Z0EXAMPLE"
    )
    if name == "acme.test." and not private:
        sets = [{"Name": name, "Type": kind} for name, kind in records]
        page = {"ResourceRecordSets": sets, "IsTruncated": False, "MaxItems": "10"}
        account.says("route53", "list_resource_record_sets", page)
    return account


def leads(account):
    account.records = {("acme.test", "NS"): SERVERS}
    return account


def test_a_zone_of_the_name_that_the_dns_leads_to_is_fine():
    account = leads(zone(Account(**DOMAIN), records=[("users2.acme.test.", "A")]))
    only(account.finds("zone"), "ok", "resolves to it")


def test_a_zone_that_will_not_do_is_a_problem():
    only(leads(zone(Account(**DOMAIN), name="other.test.")).finds("zone"), "problem", "is for other.test")
    only(leads(zone(Account(**DOMAIN), name="me.test.")).finds("zone"), "problem", "is for me.test")
    only(leads(zone(Account(**DOMAIN), private=True)).finds("zone"), "problem", "is private")
    only(zone(Account(**DOMAIN)).finds("zone"), "problem", "needs the name servers ns-1.awsdns-1.test, ns-2")
    missing = Account(**DOMAIN).refuses("route53", "get_hosted_zone", "NoSuchHostedZone")
    only(missing.finds("zone"), "problem", "no hosted zone Z0EXAMPLE")


def test_an_existing_record_of_the_domain_blocks_a_new_stack_only():
    taken = [("users.acme.test.", "A")]
    only(
        leads(without_stack(zone(Account(**DOMAIN), records=taken))).finds("zone"), "problem", "already has records (A)"
    )
    only(leads(with_stack(zone(Account(**DOMAIN), records=taken))).finds("zone"), "ok", "resolves to it")


def test_a_name_without_a_zone_has_to_be_pointed_by_hand():
    only(Account(**DOMAIN | {"HostedZoneId": ""}).finds("zone"), "warning", "DomainTarget manually")
    assert Account().finds("zone") == []


# ---- GitHub and alarms -----------------------------------------------------------------------------------------------

PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"


@pytest.mark.parametrize(
    "clients, level, words",
    [(["sts.amazonaws.com"], "ok", f"ProviderArn={PROVIDER}"), (["x"], "problem", "add-client-id")],
)
def test_githubs_provider_has_to_take_awss_audience(clients, level, words):
    account = Account().says(
        "iam", "list_open_id_connect_providers", {"OpenIDConnectProviderList": [{"Arn": PROVIDER}]}
    )
    account.says("iam", "get_open_id_connect_provider", {"ClientIDList": clients}, OpenIDConnectProviderArn=PROVIDER)
    only(account.finds("github"), level, words)


def test_another_provider_is_not_githubs():
    other = [{"Arn": PROVIDER.replace("token.actions.githubusercontent.com", "example.com")}]
    account = Account().says("iam", "list_open_id_connect_providers", {"OpenIDConnectProviderList": other})
    only(account.finds("github"), "ok", "does not exist yet")


# ---- Another system's passwords --------------------------------------------------------------------------------------

POOL = f"{REGION}_a1B2c3D4e"
SOON = (NOW + timedelta(days=30)).isoformat(timespec="seconds").replace("+00:00", "Z")
LEGACY = {"LegacyUserPool": POOL, "LegacyPasswordsUntil": SOON}
ASKING = "ALLOW_ADMIN_USER_PASSWORD_AUTH"


def with_pool(account, *clients):
    """There is the user pool, with these app clients."""
    described = [{"ClientId": f"client{at}", "UserPoolId": POOL, **client} for at, client in enumerate(clients)]
    listed = [{"ClientId": one["ClientId"], "UserPoolId": POOL} for one in described]
    account.says("cognito-idp", "describe_user_pool", {"UserPool": {"Id": POOL}}, UserPoolId=POOL)
    account.says("cognito-idp", "list_user_pool_clients", {"UserPoolClients": listed}, UserPoolId=POOL)
    for one in described:
        account.says(
            "cognito-idp",
            "describe_user_pool_client",
            {"UserPoolClient": one},
            UserPoolId=POOL,
            ClientId=one["ClientId"],
        )
    return account


def test_a_stack_that_asks_no_other_system_needs_none():
    only(Account().finds("legacy"), "ok", "no former system")


@pytest.mark.parametrize("flow", [ASKING, "ADMIN_NO_SRP_AUTH"])
def test_a_user_pool_that_can_be_asked_is_fine(flow):
    clients = [{"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]}, {"ExplicitAuthFlows": [flow, "ALLOW_REFRESH_TOKEN_AUTH"]}]
    found = with_pool(Account(**LEGACY), *clients).finds("legacy")
    assert [finding.level for finding in found] == ["ok", "ok"]
    assert SOON in found[0].text and found[1].text.endswith(": client1")


def test_an_endpoint_that_is_asked_needs_an_end_alone():
    account = Account(LegacyPasswordUrl="https://old.acme.test/check", LegacyPasswordsUntil=SOON)
    only(account.finds("legacy"), "ok", SOON)


@pytest.mark.parametrize(
    "until, words",
    [
        ("", "is missing, so no function would start"),
        ("2020-06-30T00:00:00Z", "the former system is no longer asked"),
        ("2020-06-30T02:00:00+02:00", "the former system is no longer asked"),
        ("2099-06-30T00:00:00", "has no time zone"),
        ("in June", "which is not a valid time"),
    ],
)
def test_an_other_system_is_asked_until_a_time_to_come(until, words):
    account = Account(LegacyPasswordUrl="https://old.acme.test/check", LegacyPasswordsUntil=until)
    only(account.finds("legacy"), "problem", words)


@pytest.mark.parametrize(
    "clients, words",
    [
        ([], "no app client of"),
        ([{}], "no app client of"),
        ([{"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]}], f"has the flow {ASKING}"),
        ([{"ExplicitAuthFlows": [ASKING], "ClientSecret": 24 * "x"}], "client0 of"),
    ],
)
def test_a_user_pool_without_a_usable_client_is_a_problem_with_instructions(clients, words):
    end, found = with_pool(Account(**LEGACY), *clients).finds("legacy")
    assert end.level == "ok" and found.level == "problem" and words in found.text
    assert f"--user-pool-id {POOL} " in found.text and "--no-generate-secret" in found.text


def test_a_user_pool_of_another_region_or_account_is_a_problem():
    elsewhere = Account(**LEGACY | {"LegacyUserPool": "us-east-1_a1B2c3D4e"}).finds("legacy")[1]
    assert elsewhere.level == "problem" and "is in us-east-1" in elsewhere.text
    account = Account(**LEGACY).refuses("cognito-idp", "describe_user_pool", "ResourceNotFoundException")
    missing = account.finds("legacy")[1]
    assert missing.level == "problem" and f"no user pool {POOL}" in missing.text


@pytest.mark.parametrize(
    "method, right", [("describe_user_pool", "DescribeUserPool"), ("list_user_pool_clients", "ListUserPoolClients")]
)
def test_a_missing_permission_to_read_the_user_pool_is_a_warning(method, right):
    message = f"User: arn:aws:iam::{ACCOUNT}:user/ada is not authorized to perform: cognito-idp:{right} on resource: *"
    account = Account(**LEGACY)
    if method != "describe_user_pool":
        account.says("cognito-idp", "describe_user_pool", {"UserPool": {"Id": POOL}}, UserPoolId=POOL)
    found = account.refuses("cognito-idp", method, "AccessDeniedException", message).finds("legacy")[1]
    assert found.level == "warning" and f"the permission cognito-idp:{right} is missing" in found.text


def test_alarms_without_a_recipient_are_a_warning():
    only(Account().finds("alarms"), "ok", "alarms@acme.test")
    only(Account(AlarmEmail="").finds("alarms"), "warning", "AlarmEmail")
    only(Account(AlarmEmail="", Stage="dev").finds("alarms"), "ok", "no alarms")


# ---- Rights that are missing, and the whole --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "check, service, method, right",
    [
        ("stack_name", "cloudformation", "list_stacks", "cloudformation:ListStacks"),
        ("stack_state", "cloudformation", "describe_stacks", "cloudformation:DescribeStacks"),
        ("leftovers", "dynamodb", "list_tables", "dynamodb:ListTables"),
        ("lambda", "lambda", "get_account_settings", "lambda:GetAccountSettings"),
        ("quotas", "cloudformation", "list_stacks", "cloudformation:ListStacks"),
        ("cloudfront", "cloudfront", "list_distributions", "cloudfront:ListDistributions"),
        ("ses", "sesv2", "get_account", "ses:GetAccount"),
        ("sender", "sesv2", "get_email_identity", "ses:GetEmailIdentity"),
        ("mail_dns", "sesv2", "get_email_identity", "ses:GetEmailIdentity"),
        ("certificate", "acm", "describe_certificate", "acm:DescribeCertificate"),
        ("zone", "route53", "get_hosted_zone", "route53:GetHostedZone"),
        ("github", "iam", "list_open_id_connect_providers", "iam:ListOpenIDConnectProviders"),
    ],
)
@pytest.mark.parametrize("error", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_a_right_that_is_missing_is_a_warning_that_names_it(check, service, method, right, error):
    message = f"User: arn:aws:iam::{ACCOUNT}:user/ada is not authorized to perform: {right} on resource: * because"
    account = Account(Pictures="on", **DOMAIN).refuses(service, method, error, message)
    only(account.finds(check), "warning", f"the permission {right} is missing")


def test_an_error_that_names_no_right_is_told_by_its_call():
    account = Account().refuses("sesv2", "get_account", "AccessDeniedException", "no")
    only(account.finds("ses"), "warning", "the permission GetAccount is missing")


def test_an_error_that_is_no_missing_right_is_told_as_it_is():
    account = Account().refuses("sesv2", "get_account", "TooManyRequestsException", "slow down")
    only(account.finds("ses"), "warning", "could not be checked: An error occurred (TooManyRequestsException)")


def test_an_aws_error_is_a_warning_and_the_next_check_runs(capsys):
    account = Account()
    account.says(
        "sts",
        "get_caller_identity",
        {"Account": ACCOUNT, "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b", "UserId": "1"},
    )
    # No other answer is prepared: every call fails, as without a network.
    assert preflight.report(account.target) == 0
    out = capsys.readouterr().out
    for title, _ in preflight.CHECKS:
        if title not in ("hosted zone",):
            assert f" {title}: " in out, title
    assert "0 problems" in out


def test_every_check_of_the_file_is_run():
    written = {name for name in vars(preflight) if name.startswith("check_")} - {"check_identity"}
    assert written == {check.__name__ for _, check in preflight.CHECKS}


def test_samconfig_is_read_as_sam_reads_it(tmp_path):
    file = tmp_path / "samconfig.toml"
    file.write_text("""
version = 0.1
[qa.global.parameters]
stack_name = "users-qa"
[qa.deploy.parameters]
region = "eu-west-1"
parameter_overrides = ["Stage=staging", 'ProductName="Example Test"', "HomeUrl=https://a.test/?b=c"]
[text.deploy.parameters]
parameter_overrides = 'Stage=dev ProductName="Example Test"'
""")
    qa = preflight.configured(file, "qa")
    assert (qa["stack"], qa["region"]) == ("users-qa", "eu-west-1")
    assert qa["parameters"] == {"Stage": "staging", "ProductName": "Example Test", "HomeUrl": "https://a.test/?b=c"}
    assert preflight.configured(file, "text")["parameters"] == {"Stage": "dev", "ProductName": "Example Test"}
    with pytest.raises(ValueError, match="no environment nothing; available: qa, text"):
        preflight.configured(file, "nothing")


@pytest.fixture(scope="module")
def emulator():
    with scripts.emulator() as running:
        yield running


def look(emulator, *given):
    return subprocess.run(
        [sys.executable, stack.ROOT / "deploy/preflight", *given],
        env={
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": emulator.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def config(tmp_path, *parameters, name=STACK):
    file = tmp_path / "samconfig.toml"
    overrides = json.dumps(["Stage=production", *parameters])
    file.write_text(
        f'[it.global.parameters]\nstack_name = "{name}"\n[it.deploy.parameters]\nparameter_overrides = {overrides}\n'
    )
    return "--config-env", "it", "--config-file", str(file)


def test_an_empty_account_gets_a_line_for_each_check(emulator):
    ended = look(emulator, "--config-env", "dev")
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    levels = {line[9:].split(":")[0]: line.split()[0] for line in ended.stdout.splitlines()[:-1]}
    assert levels["region"] == levels["stack"] == levels["left over"] == levels["buckets"] == levels["GitHub"] == "ok"
    assert levels["sender"] == "warning"
    assert "0 problems" in ended.stdout.splitlines()[-1]


def test_an_account_with_everything_in_the_way_gets_its_problems(emulator, tmp_path):
    emulator.client("cloudformation").create_stack(
        StackName=f"{STACK}-tools", TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    )
    emulator.client("dynamodb").create_table(
        TableName=f"{STACK}-Table-1",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    emulator.client("logs").create_log_group(logGroupName=LOGS)
    emulator.client("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["x"]
    )
    zone = emulator.client("route53").create_hosted_zone(Name="other.test", CallerReference="1")["HostedZone"]["Id"]
    asked = emulator.client("acm").request_certificate(DomainName="other.acme.test")["CertificateArn"]
    ended = look(
        emulator,
        *config(
            tmp_path,
            "DomainName=users.acme.test",
            f"HostedZoneId={zone.rpartition('/')[2]}",
            f"CertificateArn={asked}",
        ),
    )
    assert ended.returncode == 1, ended
    problems = [line for line in ended.stdout.splitlines() if line.startswith("problem")]
    for words in (
        f"stack name: {STACK} and {STACK}-tools",
        "left over: 1 log groups",
        "sender: no-reply@example.com is the example address",
        "certificate: ",
        "hosted zone: the hosted zone",
        "GitHub: ",
    ):
        assert any(words in line for line in problems), (words, ended.stdout)
    assert f"warning  left over: the tables {STACK}-Table-1" in ended.stdout
    assert f"{len(problems)} problems" in ended.stdout.splitlines()[-1]


def test_what_is_not_configured_is_said(emulator):
    ended = look(emulator, "--config-env", "qa")
    assert ended.returncode == 2 and "no environment qa; available: default, dev, " in ended.stderr
