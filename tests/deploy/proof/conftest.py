"""The one deployment that all tests look at, and what is shown of it when one of them fails."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import deviations
from .api import Api
from .deploy import make_stack, prepare_account, upload
from .deployment import Deployment
from .emulator import Emulator
from .template import REPOSITORY, Template

DEPLOYMENT = pytest.StashKey[Deployment]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--binaries", type=Path, default=REPOSITORY / "target/debug", help="where the built functions are")


def pytest_configure() -> None:
    # Whoever ends this program and how, it cleans up as on Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


@pytest.fixture(scope="session")
def deployment(pytestconfig: pytest.Config) -> Iterator[Deployment]:
    with tempfile.TemporaryDirectory(prefix="deploy-proof-") as name:
        folder = Path(name)
        emulator = Emulator(folder)
        try:
            emulator.wait_until_ready()
            template = Template.of("test")
            binaries = template.binaries()
            prepare_account(emulator)
            code = upload(emulator, list(binaries.values()), pytestconfig.getoption("binaries"), folder)
            make_stack(emulator, template, code)
            deployed = Deployment(emulator, template.stack, binaries, code)
            pytestconfig.stash[DEPLOYMENT] = deployed
            yield deployed
        except Exception:
            print(emulator.tail())
            raise
        finally:
            emulator.stop()


@pytest.fixture(scope="session")
def api(deployment: Deployment) -> Api:
    return Api(deployment)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed test shows what the functions had to say since it began."""
    report = yield
    deployed = item.config.stash.get(DEPLOYMENT, None)
    if report.failed and deployed:
        for binary in deployed.functions:
            if lines := deployed.lines(binary, since=call.start):
                report.sections.append((f"log of {binary}", "\n".join(lines[-30:])))
        report.sections.append(("log of the emulator", deployed.emulator.tail(30)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("what is not the template on AWS")
    for line in deviations.told():
        terminalreporter.line(line)
