"""The binaries as Lambda wants them: each in a zip of its own, under the name `bootstrap`."""

import shutil
import subprocess
import zipfile
from pathlib import Path


def package(binary: Path, folder: Path) -> Path:
    """A zip of the binary without its debugging symbols, which are most of a debug build and no part of what runs."""
    if not binary.is_file():
        raise AssertionError(f"{binary} is not there: build the workspace first, or say --binaries DIR")
    stripped = folder / f"{binary.name}.bootstrap"
    if binary.read_bytes()[:2] == b"#!":
        shutil.copyfile(binary, stripped)
    else:
        subprocess.run(["strip", "-o", stripped, binary], check=True)
    archive = folder / f"{binary.name}.zip"
    # The fastest level: the archive travels over loopback once.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.write(stripped, "bootstrap")
    stripped.unlink()
    return archive
