"""The Python programs of deploy/ as modules, and an emulator to run them against."""

import importlib.machinery
import importlib.util
import tempfile
from contextlib import contextmanager
from pathlib import Path

import stack
from proof.emulator import Emulator


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, str(stack.ROOT / "deploy" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


@contextmanager
def emulator():
    with tempfile.TemporaryDirectory(prefix="deploy-check-") as folder:
        running = Emulator(Path(folder))
        try:
            running.wait_until_ready()
            yield running
        finally:
            running.stop()
