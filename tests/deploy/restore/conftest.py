"""The emulator that all drills share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from proof import deviations
from proof.emulator import Emulator

from .past import DEVIATIONS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--binaries", type=Path, help="where the built functions are; without, none runs")


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="deploy-drill-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def emulator(folder: Path) -> Iterator[Emulator]:
    emulator = Emulator(folder, main="restore.emulator_main")
    try:
        emulator.wait_until_ready()
        yield emulator
    except Exception:
        print(emulator.tail())
        raise
    finally:
        emulator.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("what is not the template on AWS")
    told = [" ".join((deviation.__doc__ or "").split()) for deviation in DEVIATIONS]
    for line in [*deviations.told(), *told]:
        terminalreporter.line(line)
