"""template.yaml, read as `sam build` and `sam deploy` read it, and expanded by SAM's own transformation."""

import logging
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

FUNCTION = "AWS::Serverless::Function"

# Somebody to administer, and a page in a browser to call the API: what samconfig.toml leaves to whoever deploys.
PARAMETERS = {"AdminEmail": "admin@example.com", "CorsOrigins": "https://app.example.com"}


class NoManagedPolicies:
    """samtranslator asks for AWS's managed policies by name; the template names none."""

    def load(self) -> dict:
        return {}


@dataclass
class Template:
    body: dict
    parameters: dict[str, str]

    @classmethod
    def read(cls, repository: Path, environment: str) -> "Template":
        """The template with the parameters of one environment of samconfig.toml."""
        body = yaml_parse((repository / "template.yaml").read_text())
        return cls(body, parameters_of(repository / "samconfig.toml", environment) | PARAMETERS)

    def functions(self) -> dict[str, str]:
        """The binary of each function, as its `Metadata` tells `sam build`."""
        resources = self.body["Resources"].items()
        return {
            name: resource["Metadata"]["BuildProperties"]["Binary"]
            for name, resource in resources
            if resource["Type"] == FUNCTION
        }

    def put_code(self, function: str, uri: str) -> None:
        """What `sam deploy` does when it has uploaded a function's zip."""
        self.body["Resources"][function]["Properties"]["CodeUri"] = uri

    def expanded(self, region: str) -> dict:
        os.environ["AWS_DEFAULT_REGION"] = region
        # It warns of features that AWS has not switched on.
        logging.getLogger("samtranslator").setLevel(logging.ERROR)
        return transform(self.body, self.parameters, NoManagedPolicies())


def parameters_of(samconfig: Path, environment: str) -> dict[str, str]:
    settings = tomllib.loads(samconfig.read_text())
    overrides = settings[environment]["deploy"]["parameters"].get("parameter_overrides", [])
    if isinstance(overrides, str):
        overrides = overrides.split()
    return dict(override.split("=", 1) for override in overrides)
