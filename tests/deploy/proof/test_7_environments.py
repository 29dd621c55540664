"""The other environments of samconfig.toml, whose conditions make other resources."""

import pytest
from botocore.exceptions import ClientError

from .deploy import make_stack
from .deployment import Deployment
from .template import REPOSITORY, Template, environments
from .waiting import eventually

HEALTH = (REPOSITORY / "events/health.json").read_bytes()


@pytest.mark.parametrize("environment", [name for name in environments() if name != "test"])
def test_an_environment_deploys_answers_and_logs(deployment: Deployment, environment: str) -> None:
    template = Template.of(environment)
    make_stack(deployment.emulator, template, deployment.code)
    other = Deployment(deployment.emulator, template.stack, template.binaries(), deployment.code)

    def answered() -> bool:
        assert other.invoke("health", HEALTH)["statusCode"] == 200
        return any(record["message"] == "answered" for record in other.records("health"))

    eventually("the line of a request in the log", answered, patience=10)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_stack_with_the_example_sender_is_refused(deployment: Deployment, environment: str) -> None:
    template = Template.of(environment)
    template.stack += "-example"
    template.parameters["MailAddress"] = "no-reply@example.com"
    with pytest.raises(ClientError, match="require your own MailAddress"):
        make_stack(deployment.emulator, template, deployment.code)
