#!/usr/bin/env bash
# Pillow reads an arithmetic coded JPEG (ITU-T T.81, SOF9) only while the file fits into one of its reads.
#
# One would guess: the libjpeg-turbo in Pillow's wheels decodes arithmetic coding, so such a file is read as any other, or
# none of them is.
# Seen with Pillow 13.0.0: a file of a few kilobytes is read; one that is longer than `ImageFile.MAXBLOCK` (65536 bytes) is
# "broken data stream when reading image file", although djpeg reads it, and Pillow does, too, once MAXBLOCK is larger.
# Pillow hands the file on in parts, and the arithmetic decoder, unlike the Huffman one, cannot stop and wait for more.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v jpegtran > /dev/null || { apt-get update -q && apt-get install -y -q libjpeg-turbo-progs; } > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check Pillow==13.0.0
"$folder/venv/bin/python" - "$folder" << 'PYTHON'
import random
import subprocess
import sys
from pathlib import Path

import PIL
from PIL import Image, ImageFile

folder = Path(sys.argv[1])
print("Pillow", PIL.__version__)
numbers = random.Random(1)


def read(side):
    Image.frombytes("L", (side, side), numbers.randbytes(side * side)).save(folder / "huffman.jpg", quality=90)
    coded = subprocess.run(["jpegtran", "-arithmetic", folder / "huffman.jpg"], capture_output=True, check=True).stdout
    (folder / "arithmetic.jpg").write_bytes(coded)
    whole = subprocess.run(["djpeg", folder / "arithmetic.jpg"], capture_output=True).returncode == 0
    with Image.open(folder / "huffman.jpg") as huffman, Image.open(folder / "arithmetic.jpg") as arithmetic:
        huffman.load()
        try:
            arithmetic.load()
            same = arithmetic.tobytes() == huffman.tobytes()
        except OSError as error:
            same = error
    print(f"{len(coded)} bytes: djpeg reads it: {whole}; Pillow: {same}")
    return whole, same


small, large = read(100), read(600)
ImageFile.MAXBLOCK = 10_000_000
larger_block = read(600)
assert small == (True, True), "the small file is not read any more"
assert large[0] and isinstance(large[1], OSError), "the large file is read now"
assert larger_block == (True, True), "a larger block does not help any more"
PYTHON
