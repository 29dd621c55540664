"""Parameters: how they are shown, and those that go through the whole template."""

from collections import Counter

import chosen
import pytest
import stack

BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


def test_every_parameter_is_shown_in_one_group():
    groups = stack.source()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = Counter(name for group in groups for name in group["Parameters"])
    assert set(shown.values()) == {1}
    assert shown.keys() == stack.source()["Parameters"].keys()


def test_every_parameter_says_what_it_is_for():
    for name, parameter in stack.source()["Parameters"].items():
        assert parameter.get("Description"), name
        assert "Default" in parameter, f"{name} has to be given, which samconfig.toml cannot know"


def test_every_parameter_matters():
    source = {part: body for part, body in stack.source().items() if part not in ("Metadata", "Parameters")}
    used = set(stack.references(source))
    assert not stack.source()["Parameters"].keys() - used


@pytest.mark.parametrize("tracing, statements", [("PassThrough", 0), ("Active", 1)])
def test_functions_may_trace_only_where_traces_are_paid_for(tracing, statements):
    policy = chosen.resources(Tracing=tracing)["EveryFunction"]["Properties"]["PolicyDocument"]
    assert len([one for one in policy["Statement"] if one["Sid"] == "Trace"]) == statements
    assert chosen.decision(Tracing=tracing).condition("IsTraced") is bool(statements)


def test_tracing_is_off_unless_asked_for():
    assert chosen.parameters()["Tracing"] == "PassThrough"


def test_a_boundary_bounds_every_role_and_only_when_given():
    functions = tuple(chosen.resources(chosen.FUNCTIONS))
    roles = {
        name
        for name in chosen.resources("AWS::IAM::Role", Search="on")
        # A function's role is bounded where the function is made.
        if not name.removesuffix("Role") in functions
    }
    assert "LogStreamRole" in roles
    for name in roles:
        assert chosen.resources(PermissionsBoundary=BOUNDARY)[name]["Properties"]["PermissionsBoundary"] == BOUNDARY, name
        assert "PermissionsBoundary" not in chosen.resources()[name]["Properties"], name
