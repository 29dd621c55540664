"""The other environments of samconfig.toml, whose conditions make other resources: they deploy as well."""

import pytest

from .deploy import make_stack
from .deployment import Deployment
from .template import Template, environments


@pytest.mark.parametrize("environment", [name for name in environments() if name != "test"])
def test_an_environment_deploys(deployment: Deployment, environment: str) -> None:
    make_stack(deployment.emulator, Template.of(environment), deployment.code)
