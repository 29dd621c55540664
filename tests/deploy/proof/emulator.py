"""The AWS emulator as a process of its own: on loopback, with nothing of the caller's environment."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import urllib3

from . import deviations
from .waiting import eventually

REGION = "eu-central-1"
# Anything but the emulator's default, so that neither can have been written into the template.
ACCOUNT = "111122223333"


class Emulator:
    def __init__(self, folder: Path, main: str = "proof.emulator_main") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "emulator.log"
        self._clients: dict[tuple[str, str], Any] = {}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", main],
                cwd=Path(__file__).parent.parent,
                env=self._environment(folder),
                # Closed when this process ends, however it ends; the emulator then ends too.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own, with the functions it starts, that Ctrl-C does not reach and that is ended as one.
                start_new_session=True,
            )

    def _environment(self, folder: Path) -> dict[str, str]:
        scratch = folder / "emulator"
        scratch.mkdir()
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(scratch),
            "S3_DATA_DIR": str(scratch / "s3"),
            "STATE_DIR": str(scratch / "state"),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            # It would listen on a port of its own for devices.
            "IOT_MTLS_ENABLED": "0",
            # It would look after containers of other emulators on this machine.
            "DOCKER_HOST": f"unix://{scratch}/no-docker.sock",
            # Signatures are checked, and every call of a function against the policies of its own role.
            "AUTH": "true",
            **deviations.endpoint_of_the_emulator(self.url),
        }

    def wait_until_ready(self) -> None:
        http = urllib3.PoolManager(retries=False)

        def ready() -> bool:
            if self._process.poll() is not None:
                raise AssertionError(f"the emulator ended at once:\n{self.tail()}")
            try:
                return http.request("GET", f"{self.url}/_ministack/ready").status == 200
            except urllib3.exceptions.HTTPError:
                return False

        eventually("the emulator to start", ready)

    def client(self, service: str, key: str = "test", secret: str = "test") -> Any:
        """An AWS client, with the rights of the account's owner unless another key is given."""
        if (service, key) not in self._clients:
            self._clients[service, key] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=key,
                aws_secret_access_key=secret,
            )
        return self._clients[service, key]

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Ends the emulator and the functions it runs. Nothing of its state is wanted, so it is not asked politely."""
        if self._process.poll() is None:
            # The group has the number of the process that we started.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
