"""The templates with the settings of an environment, read and expanded as `sam build` and `sam deploy` do it."""

import logging
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse
from stack import overrides

REPOSITORY = Path(__file__).parents[3]
NESTED = "AWS::CloudFormation::Stack"

# What samconfig.toml leaves to whoever deploys: an administrator, a page in a browser that calls the API, a sender of
# one's own with its domain, and pictures. All tests come from one IP address, so rate limits are far above what they send.
PARAMETERS = {
    "AdminEmail": "admin@example.com",
    "CorsOrigins": "https://app.example.com",
    "LimitLoginPerIp": "1000/5m",
    "LimitRegisterPerIp": "1000/1h",
    "MailAddress": "users@example.com",
    "MailDomain": "example.com",
    "Pictures": "on",
}


def environments() -> list[str]:
    return [name for name in samconfig() if name not in ("version", "default")]


def samconfig() -> dict:
    return tomllib.loads((REPOSITORY / "samconfig.toml").read_text())


@dataclass
class Template:
    stack: str
    parameters: dict[str, str]
    body: dict
    # The templates of the nested stacks, by their resources in the root template.
    nested: dict[str, dict]

    @classmethod
    def of(cls, environment: str) -> "Template":
        settings = samconfig()[environment]
        parameters = overrides(settings["deploy"]["parameters"]["parameter_overrides"])
        body = read("template.yaml")
        areas = {name: item for name, item in body["Resources"].items() if item["Type"] == NESTED}
        nested = {name: read(item["Properties"]["TemplateURL"]) for name, item in areas.items()}
        return cls(settings["global"]["parameters"]["stack_name"], parameters | PARAMETERS, body, nested)

    def binaries(self) -> dict[str, str]:
        """The binary of each function, as its `Metadata` tells `sam build`."""
        resources = [item for body in self.nested.values() for item in body["Resources"].items()]
        functions = {name: item for name, item in resources if item["Type"] == "AWS::Serverless::Function"}
        return {name: item["Metadata"]["BuildProperties"]["Binary"] for name, item in functions.items()}

    def expanded(self, region: str, code: dict[str, str]) -> tuple[dict, dict[str, dict]]:
        """By SAM's own transformation, with the addresses that the functions' zips were uploaded to: the root template and
        the nested ones. On AWS each is expanded when its stack is made, with the values that the root gives it; of those SAM
        looks at parameters of the root that are passed on as they are."""
        os.environ["AWS_DEFAULT_REGION"] = region
        # It warns of features that AWS has not switched on.
        logging.getLogger("samtranslator").setLevel(logging.ERROR)
        nested = {}
        for name, body in self.nested.items():
            for item in body["Resources"].values():
                if item["Type"] == "AWS::Serverless::Function":
                    item["Properties"]["CodeUri"] = code[item["Metadata"]["BuildProperties"]["Binary"]]
            given = {name: value for name, value in self.parameters.items() if name in body["Parameters"]}
            nested[name] = transform(body, given, NoManagedPolicies())
        return transform(self.body, self.parameters, NoManagedPolicies()), nested


def read(path: str) -> dict:
    return yaml_parse((REPOSITORY / path).read_text())


class NoManagedPolicies:
    """samtranslator asks for AWS's managed policies by name; the template names none."""

    def load(self) -> dict:
        return {}
