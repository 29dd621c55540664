"""Runs inside the emulator's process: that of the proof, with a past."""

import threading

from proof import deviations
from proof.emulator_main import end_with_the_caller

from .past import DEVIATIONS

if __name__ == "__main__":
    deviations.complete_the_emulator()
    for complete in DEVIATIONS:
        complete()
    threading.Thread(target=end_with_the_caller, daemon=True).start()
    from ministack.app import main

    main()
