"""The work of the crate `pictures` as it is done with Pillow: pillow.py PICTURE FOLDER

Once for every line that it reads, answered with the nanoseconds that took; the thumbnails of the first time are kept.
"""
import sys
import time
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

SIZES = 64, 256, 512
LARGEST = SIZES[-1]


def thumbnails(upload):
    picture = Image.open(BytesIO(upload))
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    shorter = min(picture.size)
    # This one makes a JPEG smaller while it is decoded, and is what Pillow's documentation has for thumbnails.
    picture.thumbnail([side * LARGEST / shorter for side in picture.size], Image.Resampling.LANCZOS)
    square = ImageOps.fit(ImageOps.exif_transpose(picture), (LARGEST, LARGEST), Image.Resampling.LANCZOS)
    made = {}
    for size in SIZES:
        file = BytesIO()
        thumbnail = square.resize((size, size), Image.Resampling.LANCZOS)
        if thumbnail.mode == "RGBA":
            thumbnail.save(file, "PNG")
            made[f"{size}.png"] = file.getvalue()
        else:
            thumbnail.save(file, "JPEG", quality=84)
            made[f"{size}.jpg"] = file.getvalue()
    return made


def main(picture, folder):
    upload = picture.read_bytes()
    print("ready", flush=True)
    for run, _ in enumerate(sys.stdin):
        began = time.perf_counter_ns()
        made = thumbnails(upload)
        took = time.perf_counter_ns() - began
        if run == 0:
            for name, file in made.items():
                (folder / name).write_bytes(file)
        print(took, flush=True)


main(*map(Path, sys.argv[1:]))
