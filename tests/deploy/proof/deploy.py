"""What `sam deploy` does: code and template into a bucket, then a stack made of them by CloudFormation."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import deviations
from .artifacts import package
from .emulator import REGION, Emulator
from .template import Template
from .waiting import eventually

ARTIFACTS = "artifacts"


def prepare_account(emulator: Emulator) -> None:
    """What is asked for once in every new account: SES may send to people who did not agree to be tested upon."""
    emulator.client("sesv2").put_account_details(
        MailType="TRANSACTIONAL", WebsiteURL="https://example.com", ProductionAccessEnabled=True
    )


def upload(emulator: Emulator, names: list[str], binaries: Path, folder: Path) -> dict[str, str]:
    """Where the zip of each binary lies."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": REGION})

    def upload_one(name: str) -> str:
        archive = package(binaries / name, folder)
        s3.upload_file(str(archive), ARTIFACTS, archive.name)
        archive.unlink()
        return f"s3://{ARTIFACTS}/{archive.name}"

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(upload_one, names), strict=True))


def put_template(emulator: Emulator, key: str, body: dict) -> str:
    emulator.client("s3").put_object(Bucket=ARTIFACTS, Key=key, Body=json.dumps(body))
    return f"{emulator.url}/{ARTIFACTS}/{key}"


def make_stack(emulator: Emulator, template: Template, code: dict[str, str]) -> None:
    root, nested = template.expanded(REGION, code)
    for name, body in nested.items():
        url = put_template(emulator, f"{template.stack}-{name}.json", deviations.bend(body))
        root["Resources"][name]["Properties"]["TemplateURL"] = url
    cloudformation = emulator.client("cloudformation")
    cloudformation.create_stack(
        StackName=template.stack,
        TemplateURL=put_template(emulator, f"{template.stack}.json", deviations.bend(root)),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in template.parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        # What failed is looked at, not rolled back.
        OnFailure="DO_NOTHING",
    )

    def settled() -> str | None:
        status = cloudformation.describe_stacks(StackName=template.stack)["Stacks"][0]["StackStatus"]
        return None if status.endswith("IN_PROGRESS") else status

    status = eventually(f"the stack {template.stack} to settle", settled, patience=180)
    if status != "CREATE_COMPLETE":
        stacks = cloudformation.describe_stacks()["Stacks"]
        ours = [stack["StackId"] for stack in stacks if stack["StackName"].startswith(template.stack)]
        events = [event for one in ours for event in cloudformation.describe_stack_events(StackName=one)["StackEvents"]]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        reasons = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed]
        raise AssertionError("\n  ".join([f"the stack {template.stack} is {status}", *reasons]))
