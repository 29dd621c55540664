"""The template as it is written, decided for any parameters, not only for those of an environment. SAM's part of it stays as
it is: nothing here is about functions."""

import stack

FUNCTIONS = "AWS::Serverless::Function"

# Tables that were restored from a backup.
RESTORED = {
    "TableName": "restored",
    "TableStreamArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/restored/stream/2026-11-29T12:00:00.000",
    "KeysTableName": "restored-keys",
    "TableKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/main",
    "KeysTableKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/keys",
}


def parameters(**given):
    """Defaults, and what is given instead."""
    source = stack.source()["Parameters"]
    unknown = given.keys() - source.keys()
    assert not unknown, f"the template has no parameter {', '.join(sorted(unknown))}"
    return {name: str(parameter.get("Default", "")) for name, parameter in source.items()} | given


def decision(**given):
    return stack.Decision(stack.source(), parameters(**given))


def part(name, **given):
    """A part of the template without its conditions."""
    decide = decision(**given)
    return {
        key: decide.value(body)
        for key, body in stack.source()[name].items()
        if "Condition" not in body or decide.condition(body["Condition"])
    }


def resources(kind=None, **given):
    return {name: body for name, body in part("Resources", **given).items() if kind is None or body["Type"] == kind}


def outputs(**given):
    return part("Outputs", **given)


def accepts(rule, **given):
    """Whether a rule of the template lets a deployment begin."""
    decide, rule = decision(**given), stack.source()["Rules"][rule]
    if not decide.truth(rule.get("RuleCondition", {"Fn::Equals": ["", ""]})):
        return True
    return all(decide.truth(assertion["Assert"]) for assertion in rule["Assertions"])


def variables(**given):
    """What the functions of an area get in their environment: what their stack's parameters are."""
    set_from = stack.source("AccountsArea")["Globals"]["Function"]["Environment"]["Variables"]
    values = resources(**given)["AccountsArea"]["Properties"]["Parameters"]
    return {name: values[parameter["Ref"]] for name, parameter in set_from.items()}
