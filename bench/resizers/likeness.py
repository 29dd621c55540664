"""How like a picture its thumbnails are: likeness.py PICTURE FOLDER...

For each folder a line with the structural similarity (SSIM; Wang, Bovik, Sheikh and Simoncelli, 2004) of its thumbnails to
a careful resize, the mean of the three sizes: 1 is the same. Careful is to decode the whole picture, cut out the centre
square, and take each size from that in one step of Lanczos, on the values as they are stored: none of the three resizes
in linear light, so that would tell nothing of what sets them apart. Nothing is compressed again, so the loss of writing a
thumbnail counts, which at equal quality is nearly the same for all.
"""
import sys
from pathlib import Path

import numpy
from PIL import Image
from skimage.metrics import structural_similarity

SIZES = 64, 256, 512


def visible(picture):
    """What is seen of a picture before gray: colours that alpha hides do not count."""
    ground = Image.new("RGBA", picture.size, (128, 128, 128, 255))
    return numpy.asarray(Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB"))


def references(path):
    picture = Image.open(path).convert("RGBA")
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    square = picture.crop((left, top, left + side, top + side))
    return {size: visible(square.resize((size, size), Image.Resampling.LANCZOS)) for size in SIZES}


def main(picture, *folders):
    careful = references(picture)
    for folder in folders:
        found = []
        for size in SIZES:
            (path,) = folder.glob(f"{size}.*")
            seen = visible(Image.open(path))
            # The settings of the paper.
            found.append(
                structural_similarity(
                    careful[size], seen, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
                )
            )
        print(numpy.mean(found))


main(*map(Path, sys.argv[1:]))
