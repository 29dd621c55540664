"""Runs inside the emulator's process: ministack, with what it lacks of AWS."""

import os
import signal
import sys
import threading

from . import deviations


def end_with_the_caller() -> None:
    """The other end of standard input closes when the program that started us is gone."""
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    deviations.complete_the_emulator()
    threading.Thread(target=end_with_the_caller, daemon=True).start()
    from ministack.app import main

    main()
