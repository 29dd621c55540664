"""What `sam deploy` does: code and template into a bucket, then a stack made of them, by the emulator's CloudFormation."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import deviations
from .artifacts import package
from .emulator import REGION, Emulator
from .template import Template
from .waiting import eventually

STACK = "users"
ARTIFACTS = "artifacts"


def deploy(emulator: Emulator, template: Template, binaries: Path, folder: Path) -> dict:
    """Makes the stack and returns the template that it was made of."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": REGION})

    def upload(function: str, binary: str) -> None:
        archive = package(binaries / binary, folder)
        s3.upload_file(str(archive), ARTIFACTS, archive.name)
        archive.unlink()
        template.put_code(function, f"s3://{ARTIFACTS}/{archive.name}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda item: upload(*item), template.functions().items()))

    body = deviations.bend(template.expanded(REGION))
    s3.put_object(Bucket=ARTIFACTS, Key="template.json", Body=json.dumps(body))
    create(emulator.client("cloudformation"), f"{emulator.url}/{ARTIFACTS}/template.json", template.parameters)
    return body


def create(cloudformation, template_url: str, parameters: dict[str, str]) -> None:
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=template_url,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        OnFailure="DO_NOTHING",
    )

    def settled() -> str | None:
        status = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
        return None if status.endswith("IN_PROGRESS") else status

    status = eventually("the stack to settle", settled, patience=180)
    if status != "CREATE_COMPLETE":
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [
            f"  {event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
            for event in events
            if event["ResourceStatus"].endswith("FAILED")
        ]
        raise AssertionError(f"the stack is {status}:\n" + "\n".join(failed))
