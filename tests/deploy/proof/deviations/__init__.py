"""Everything in which this run is not the template on AWS, each with its reason, and in one place. No file outside of
this folder bends anything. What `told` returns is printed at the end of every run."""

import copy

from .condition_keys import add_the_condition_keys
from .exports import find_the_resources_of_exports
from .extensions_api import add_the_extensions_api
from .mail_identity import name_the_dkim_records
from .missing_objects import hide_missing_objects
from .numbers import take_numbers_from_parameters
from .template import leave_out_code_deploy, leave_out_metric_math, spell_cors_like_the_emulator
from .transport import take_loopback_for_tls


def endpoint_of_the_emulator(url: str) -> dict[str, str]:
    """Functions find AWS by AWS_ENDPOINT_URL, which they inherit from the emulator's process. On AWS no function has
    it."""
    return {"AWS_ENDPOINT_URL": url}


def complete_the_emulator() -> None:
    """Runs inside the emulator's process, before it serves."""
    add_the_extensions_api()
    add_the_condition_keys()
    find_the_resources_of_exports()
    hide_missing_objects()
    take_loopback_for_tls()
    name_the_dkim_records()
    take_numbers_from_parameters()


def bend(template: dict) -> dict:
    """The template after SAM's own transformation, as the emulator can take it."""
    template = copy.deepcopy(template)
    leave_out_code_deploy(template)
    leave_out_metric_math(template)
    spell_cors_like_the_emulator(template)
    return template


def hurry(sqs, queue_url: str) -> None:
    """For the tests about dead letters a failed message comes back after a second. As the template has it, the
    deliveries that it takes to become one last many minutes."""
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})


# What no run on one machine shows.
NOT_SHOWN = [
    "Functions run as processes of this machine, of its architecture, with all of its memory and processors: the"
    " template's arm64, memory sizes and provided.al2023 are not looked at.",
    "The binaries are those of a debug build, without their debugging symbols.",
    "Nothing is throttled, no alarm rings, no stream is buffered, and no key of KMS is ever refused.",
]


def told() -> list[str]:
    deviations = [
        endpoint_of_the_emulator,
        add_the_extensions_api,
        add_the_condition_keys,
        find_the_resources_of_exports,
        hide_missing_objects,
        take_loopback_for_tls,
        name_the_dkim_records,
        take_numbers_from_parameters,
        leave_out_code_deploy,
        leave_out_metric_math,
        spell_cors_like_the_emulator,
        hurry,
    ]
    return [" ".join((deviation.__doc__ or "").split()) for deviation in deviations] + NOT_SHOWN
