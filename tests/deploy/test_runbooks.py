"""The runbooks in docs/: there is one for each alarm, links lead somewhere, and every command of AWS is one."""

import re
import shlex
from functools import cache

import botocore.session
import pytest
import stack
from botocore import xform_name
from samtranslator.yaml_helper import yaml_parse

DOCS = stack.ROOT / "docs"
INDEX = DOCS / "operations.md"
PAGES = [INDEX, *sorted((DOCS / "operations").glob("*.md")), *sorted((DOCS / "decisions").glob("*.md"))]

# Commands that are the AWS CLI's own and no operations, with the options that are used here.
OF_THE_CLI = {
    "cloudformation deploy": {"stack-name", "template-file", "parameter-overrides"},
    "configure export-credentials": {"format"},
    "s3 cp": {"recursive"},
    "s3 ls": {"recursive"},
    "s3 rb": {"force"},
    "s3 rm": {"recursive"},
}
# Options that every command takes, and those that page through lists.
GLOBAL = {"output", "query", "region", "profile", "cli-binary-format", "max-items", "cli-input-json"}


SESSION = botocore.session.get_session()

@cache
def service_model(service):
    return SESSION.get_service_model(service)


def code(page):
    """The text of a page that is code: fenced blocks, and commands within lines."""
    text = page.read_text()
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    # Without options it is the name of a command.
    return blocks + re.findall(r"`([^`\n]*\baws [a-z][^`\n]* --[^`\n]*)`", prose)


def commands(text):
    """Each call of the AWS CLI, as its words: those within $(...) first, then what is around them."""
    text = re.sub(r"\\\n\s*", " ", text)
    text = re.sub(r"(^|\s)#.*", r"\1", text)
    # Without another within, but maybe with the parentheses of a query.
    inner = re.compile(r"\$\(((?:(?!\$\()[^()]|\((?:(?!\$\()[^()])*\))*)\)")
    while found := inner.search(text):
        # Arithmetic and commands that call nothing of AWS are values like any other.
        yield from calls(found[1])
        text = text[: found.start()] + "VALUE" + text[found.end() :]
    yield from calls(text)


def calls(text):
    ends = "|;&<>()\n"
    lexer = shlex.shlex(text, posix=True, punctuation_chars=ends)
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    lexer.commenters = ""
    call = None
    for word in [*lexer, ";"]:
        if set(word) <= set(ends):
            if call:
                yield call
            call = None
        elif word == "aws":
            call = []
        elif call is not None:
            call.append(word)


def options(words):
    """The options of a command; what is written after = is their value."""
    return {word[2:].partition("=")[0] for word in words if re.fullmatch(r"--[a-z].*", word)}


def wrong(words):
    """What is wrong with a command; None when nothing is."""
    service, name, *rest = words
    service = "s3" if service == "s3api" else service
    used = options(rest) - GLOBAL
    if f"{words[0]} {name}" in OF_THE_CLI:
        return sorted(used - OF_THE_CLI[f"{words[0]} {name}"])
    if service not in SESSION.get_available_services():
        return f"no service {service}"
    described = service_model(service)
    if name == "wait":
        # What a waiter asks is one operation, whose options it takes.
        waiters = SESSION.get_waiter_model(service)
        names = {xform_name(one, "-"): one for one in waiters.waiter_names}
        if rest[0] not in names:
            return f"no waiter {rest[0]}"
        operation = waiters.get_waiter(names[rest[0]]).operation
    else:
        by_name = {xform_name(one, "-"): one for one in described.operation_names}
        if name not in by_name:
            return f"no command {service} {name}"
        operation = by_name[name]
    shape = described.operation_model(operation).input_shape
    members = {xform_name(one, "-"): member for one, member in shape.members.items()} if shape else {}
    known = set(members) | {f"no-{one}" for one, member in members.items() if member.type_name == "boolean"}
    needed = {xform_name(one, "-") for one in shape.required_members} if shape else set()
    missing = needed - used - {one.removeprefix("no-") for one in used}
    unknown = used - known
    return f"unknown {sorted(unknown)}, missing {sorted(missing)}" if unknown or missing else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_aws_command_of_a_page_is_one(page):
    found = [words for text in code(page) for words in commands(text) if len(words) > 1]
    assert [(" ".join(words[:2]), fault) for words in found if (fault := wrong(words))] == []


def test_commands_are_found_within_others_and_in_lines():
    text = """x=$(aws sts get-caller-identity --query Account) # aws nothing here
    for a in $(aws s3 ls "$(aws kms list-keys --query 'max(a)')"); do echo aws; done
    aws sqs list-queues \\
      --queue-name-prefix a | aws iam list-roles
    aws ec2 describe-vpcs"""
    assert [words[:2] for words in commands(text)] == [
        ["sts", "get-caller-identity"],
        ["kms", "list-keys"],
        ["s3", "ls"],
        ["sqs", "list-queues"],
        ["iam", "list-roles"],
        ["ec2", "describe-vpcs"],
    ]


@pytest.mark.parametrize(
    "command, fault",
    [
        ("kms enable-key --key-id x", None),
        ("kms enable-keys --key-id x", "no command kms enable-keys"),
        ("km enable-key", "no service km"),
        ("kms enable-key", "unknown [], missing ['key-id']"),
        ("kms enable-key --key-id x --force", "unknown ['force'], missing []"),
        ("dynamodb update-table --table-name x --no-deletion-protection-enabled", None),
        ("dynamodb wait table-exists --table-name x", None),
        ("dynamodb wait table-there --table-name x", "no waiter table-there"),
        ("s3 rb --forced s3://x", ["forced"]),
    ],
)
def test_a_command_that_is_wrong_is_noticed(command, fault):
    assert (wrong(command.split()) or None) == fault


def test_every_alarm_has_a_runbook():
    rows = [line for line in INDEX.read_text().splitlines() if line.startswith("|") and "(operations/" in line]
    told = {name for row in rows for name in re.findall(r"`([\w<>]+)`", row)}
    templates = [stack.source(name) for name in stack.stacks()]
    templates.append(yaml_parse((stack.ROOT / "deploy/global.yaml").read_text()))
    resources = {name: body["Type"] for template in templates for name, body in template["Resources"].items()}
    alarms = {name for name, kind in resources.items() if kind == "AWS::CloudWatch::Alarm"}
    if "<Function>Errors" in told:
        told |= {f"{name}Errors" for name, kind in resources.items() if kind == "AWS::Serverless::Function"}
    assert alarms - told == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    files = [link for link in links if not link.startswith("https://")]
    assert [link for link in files if not (page.parent / link).exists()] == []


def runbooks():
    """What else is in the folder is read from a runbook's or another page's link."""
    return [page for page in PAGES if page.parent.name == "operations" and "**When**" in page.read_text()]


def test_the_index_leads_to_every_runbook():
    linked = {(DOCS / link).resolve() for link in re.findall(r"\]\((operations/[^)]+)\)", INDEX.read_text())}
    assert set(runbooks()) - linked == set()


@pytest.mark.parametrize("page", runbooks(), ids=lambda page: page.stem)
def test_a_runbook_says_what_to_do_and_how_to_know(page):
    for part in ("**What to do", "**How to know it worked**"):
        assert part in page.read_text(), part


def test_commands_of_this_repository_in_runbooks_exist():
    """`deploy/stack explain`: a script, and one of the commands that it takes where it takes any."""
    for page in PAGES:
        for script, command in re.findall(r"\bdeploy/(preflight|smoke|restore|stack|override)\b(?: ([a-z]+)\b)?", page.read_text()):
            source = (stack.ROOT / "deploy" / script).read_text()
            if script == "stack" and command:
                assert re.search(rf"add_parser\(\s*\"{command}\"|\"{command}\"", source), (page.name, command)


def test_resources_that_runbooks_name_are_in_the_templates():
    ids = {name for one in stack.stacks() for name in stack.source(one)["Resources"]}
    for page in PAGES:
        for name in re.findall(r"--resources-to-skip \"?\$?\w*\.?([A-Z][a-z]\w+)", page.read_text()):
            assert name in ids, (page.name, name)
