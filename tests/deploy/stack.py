"""The templates as CloudFormation would see them: expanded by SAM and decided for the parameters of one environment. The root
template has a nested stack for each area; what is said of resources is said of those of all stacks, whose names are unique."""

import copy
import os
import shlex
import tomllib
from functools import cache
from pathlib import Path

# SAM asks boto3 for a region, to find its partition. Nothing is ever sent there.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
ABSENT = object()

# Beside the environments of samconfig.toml: everything that a parameter can turn on, and a hotfix during an outage.
EVERYTHING = {
    "Stage": "production",
    "Search": "on",
    "AlarmEmail": "alarms@example.com",
    "CorsOrigins": "https://app.example.com",
    "DomainName": "users.example.com",
    "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/example",
    "HostedZoneId": "Z0EXAMPLE",
    "MailDomain": "example.com",
    "Pictures": "on",
    "Tracing": "Active",
}


class NoManagedPolicies:
    """SAM would ask IAM for the names of AWS's policies. The template uses none."""

    def load(self):
        return {}


ROOT_STACK = ""
NESTED = "AWS::CloudFormation::Stack"


@cache
def _source(stack):
    if stack == ROOT_STACK:
        return yaml_parse(TEMPLATE.read_text())
    return yaml_parse((ROOT / _source(ROOT_STACK)["Resources"][stack]["Properties"]["TemplateURL"]).read_text())


def source(stack=ROOT_STACK):
    return copy.deepcopy(_source(stack))


@cache
def stacks():
    """The root stack's name, which is empty, and the names of its nested stacks in it."""
    resources = _source(ROOT_STACK)["Resources"].items()
    return [ROOT_STACK, *(name for name, body in resources if body["Type"] == NESTED)]


@cache
def binaries():
    """The binary that each function is built from."""
    return {
        name: body["Metadata"]["BuildProperties"]["Binary"]
        for stack in stacks()
        for name, body in _source(stack)["Resources"].items()
        if body["Type"] == "AWS::Serverless::Function"
    }


@cache
def environments():
    """Parameters by environment: those of samconfig.toml, and one with everything on."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    found = {}
    for name, commands in config.items():
        if name != "version":
            found[name] = overrides(commands["deploy"]["parameters"]["parameter_overrides"])
    return found | {"everything": EVERYTHING, "hotfix": found["production"] | {"Rollback": "off"}}


def changed(environment, parameters):
    """The name of an environment with other values of some parameters."""
    name = f"{environment} with {', '.join(f'{name}={value}' for name, value in parameters.items())}"
    environments()[name] = environments()[environment] | parameters
    return name


def overrides(given):
    """Parameters as SAM reads them: it takes a value up to the first space that is not between quotes, and drops the rest."""
    found = {}
    for override in given:
        words = shlex.split(override)
        if len(words) != 1:
            raise ValueError(f"samconfig.toml: {override} needs quotes around its value, for SAM")
        name, value = words[0].split("=", 1)
        found[name] = value
    return found


def _parameters(stack, environment):
    """A nested stack's parameters have the values that the root stack gives them, which may be intrinsic functions."""
    if stack == ROOT_STACK:
        return environments()[environment]
    return _decided(ROOT_STACK, environment)["Resources"][stack]["Properties"]["Parameters"]


def expand(template, parameters):
    """A template after SAM's transformation, with the values of parameters that SAM looks at."""
    template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            # As `sam package` leaves it.
            resource["Properties"]["CodeUri"] = f"s3://bucket/{name}"
    return transform(template, parameters, NoManagedPolicies())


@cache
def _expanded(stack, environment):
    known = {name: value for name, value in _parameters(stack, environment).items() if isinstance(value, str)}
    return expand(source(stack), known)


@cache
def _decided(stack, environment):
    template = copy.deepcopy(_expanded(stack, environment))
    parameters = {name: str(given.get("Default", "")) for name, given in template["Parameters"].items()}
    parameters |= _parameters(stack, environment)
    decide = Decision(template, parameters)
    return {
        part: {
            name: decide.value(body)
            for name, body in template.get(part, {}).items()
            if "Condition" not in body or decide.condition(body["Condition"])
        }
        for part in ("Resources", "Outputs")
    }


@cache
def deployed(environment):
    """The stacks that an environment has."""
    return [stack for stack in stacks() if stack == ROOT_STACK or stack in _decided(ROOT_STACK, environment)["Resources"]]


def resources_of(stack, environment):
    """The resources of one stack that an environment has, without their conditions."""
    return _decided(stack, environment)["Resources"]


def resources(environment, kind=None):
    """The resources of all stacks that an environment has, without their conditions; of one type if asked."""
    found = {}
    for stack in deployed(environment):
        for name, body in resources_of(stack, environment).items():
            if kind is None or body["Type"] == kind:
                # SAM gives the application of CodeDeploy this name in every template.
                assert name not in found or name == "ServerlessDeploymentApplication", f"{name} is in two stacks"
                found[name] = body
    return found


def declared(stack, environment):
    """All resources of an expanded template, also those that the environment does not have."""
    return _expanded(stack, environment)["Resources"]


def parameters(environment):
    """The names of the parameters of all stacks."""
    return {name for stack in deployed(environment) for name in _source(stack)["Parameters"]}


def outputs(environment):
    return _decided(ROOT_STACK, environment)["Outputs"]


class Decision:
    """Conditions and what hangs on them, for given parameters."""

    def __init__(self, template, parameters):
        self.conditions = template.get("Conditions", {})
        self.mappings = template.get("Mappings", {})
        self.parameters = parameters

    def condition(self, name):
        return self.truth(self.conditions[name])

    def truth(self, test):
        ((function, argument),) = test.items()
        match function:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                return self.value(argument[0]) == self.value(argument[1])
            case "Fn::Not":
                return not self.truth(argument[0])
            case "Fn::And":
                return all(self.truth(one) for one in argument)
            case "Fn::Or":
                return any(self.truth(one) for one in argument)
        raise ValueError(f"{function} in a condition")

    def value(self, node):
        """The node without Fn::If, parameters and mappings; what CloudFormation alone knows stays as it is."""
        if isinstance(node, list):
            values = [self.value(one) for one in node]
            return [one for one in values if one is not ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Fn::If":
                return self.value(argument[1] if self.condition(argument[0]) else argument[2])
            if function == "Ref" and argument == "AWS::NoValue":
                return ABSENT
            if function == "Ref" and argument in self.parameters:
                return self.parameters[argument]
            if function == "Fn::FindInMap":
                table, row, column = (self.value(one) for one in argument)
                return self.mappings[table][row][column]
            if function == "Fn::Join":
                # A list parameter is given as text with commas; of a list some may be what CloudFormation alone knows.
                parts = self.value(argument[1])
                parts = parts.split(",") if isinstance(parts, str) else parts
                return argument[0].join(parts) if all(isinstance(one, str) for one in parts) else {function: [argument[0], parts]}
        values = {key: self.value(one) for key, one in node.items()}
        return {key: one for key, one in values.items() if one is not ABSENT}


def references(node):
    """Names that Ref, Fn::GetAtt, Fn::Sub and DependsOn below a node lead to, of resources and of others alike."""
    if isinstance(node, list):
        for one in node:
            yield from references(one)
    elif isinstance(node, dict):
        for key, argument in node.items():
            if key == "Ref":
                yield argument
            elif key == "Fn::GetAtt":
                yield argument.split(".")[0] if isinstance(argument, str) else argument[0]
            elif key == "Fn::Sub":
                text, own = (argument, {}) if isinstance(argument, str) else argument
                yield from (name for name in placeholders(text) if name not in own)
                yield from references(own)
            elif key == "DependsOn":
                yield from [argument] if isinstance(argument, str) else argument
            else:
                yield from references(argument)


def placeholders(text):
    """The names in the ${...} of a Fn::Sub; ${!...} is none."""
    for part in text.split("${")[1:]:
        name = part.split("}")[0].split(".")[0].strip()
        if not name.startswith("!"):
            yield name


def words(node):
    """A value as text, so that a list of allowed ones can name it: `${Table.Arn}/index/list`."""
    if isinstance(node, str):
        return node
    ((function, argument),) = node.items()
    match function:
        case "Ref":
            return f"${{{argument}}}"
        case "Fn::GetAtt":
            return f"${{{argument if isinstance(argument, str) else '.'.join(argument)}}}"
        case "Fn::Sub":
            return argument if isinstance(argument, str) else argument[0]
    raise ValueError(f"{function} where a name is expected")
