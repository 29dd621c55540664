"""template.yaml with the settings of an environment, read and expanded as `sam build` and `sam deploy` do it."""

import logging
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse
from stack import overrides

REPOSITORY = Path(__file__).parents[3]

# What samconfig.toml leaves to whoever deploys: somebody to administer, a page in a browser that calls the API, a sender of
# one's own with its domain, and pictures.
PARAMETERS = {
    "AdminEmail": "admin@example.com",
    "CorsOrigins": "https://app.example.com",
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

    @classmethod
    def of(cls, environment: str) -> "Template":
        settings = samconfig()[environment]
        parameters = overrides(settings["deploy"]["parameters"]["parameter_overrides"])
        body = yaml_parse((REPOSITORY / "template.yaml").read_text())
        return cls(settings["global"]["parameters"]["stack_name"], parameters | PARAMETERS, body)

    def binaries(self) -> dict[str, str]:
        """The binary of each function, as its `Metadata` tells `sam build`."""
        resources = self.body["Resources"].items()
        functions = {name: item for name, item in resources if item["Type"] == "AWS::Serverless::Function"}
        return {name: item["Metadata"]["BuildProperties"]["Binary"] for name, item in functions.items()}

    def expanded(self, region: str, code: dict[str, str]) -> dict:
        """By SAM's own transformation, with the addresses that the functions' zips were uploaded to."""
        for function, binary in self.binaries().items():
            self.body["Resources"][function]["Properties"]["CodeUri"] = code[binary]
        os.environ["AWS_DEFAULT_REGION"] = region
        # It warns of features that AWS has not switched on.
        logging.getLogger("samtranslator").setLevel(logging.ERROR)
        return transform(self.body, self.parameters, NoManagedPolicies())


class NoManagedPolicies:
    """samtranslator asks for AWS's managed policies by name; the template names none."""

    def load(self) -> dict:
        return {}
