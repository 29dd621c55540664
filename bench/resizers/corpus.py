"""Makes the pictures that bench/pictures resizes, always the same ones: corpus.py FOLDER

They represent photographs. What matters to a decoder is how much detail there is at which size, so they follow the "dead
leaves" model: discs of all sizes that hide one another, as many of each size as covers the same area, which has the edges
and the spectrum of natural pictures (Lee, Mumford and Huang, "Occlusion models for natural images", 2001). Over them are a
texture with a spectrum of 1/f, and the noise of a sensor.
"""
import sys
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFilter

# Three to two, so that a square of 512 pixels begins at a whole pixel however it is cut out, before or after resizing: the
# likeness of two results says nothing of where they were cut. Like the 3024 and 6048 pixels of a phone's pictures, the shorter
# sides of the larger two are between 1.4 and 1.5 times 512 pixels when they are decoded at a quarter and at an eighth.
MEGAPIXELS_3, MEGAPIXELS_12, MEGAPIXELS_49 = (2304, 1536), (4320, 2880), (8640, 5760)


def leaves(size, random):
    """Discs in the colours of a slope of light."""
    width, height = size
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(picture)
    smallest, largest, count = height / 400, height / 3, 12_000
    # Radii whose density falls with the third power.
    radii = 1 / numpy.sqrt(random.uniform(largest**-2, smallest**-2, count))
    for radius, x, y, light, tint in zip(
        radii,
        random.uniform(0, width, count),
        random.uniform(0, height, count),
        random.normal(120, 55, count),
        random.normal(0, 25, (count, 3)),
        strict=True,
    ):
        colour = tuple(int(value) for value in numpy.clip(light + tint, 0, 255))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    # A lens has no sharper edges.
    return picture.filter(ImageFilter.GaussianBlur(1.2))


def texture(size, random):
    """Cells of random light, each half as large and a little weaker than the last."""
    width, height = size
    light = numpy.zeros((height, width), numpy.float32)
    cell, strength = height // 4, 16
    while cell >= 2:
        cells = random.normal(0, strength, (height // cell + 2, width // cell + 2)).astype(numpy.float32)
        light += numpy.asarray(Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC))
        cell, strength = cell // 2, strength * 0.8
    return light


def photograph(size, seed, noise):
    """`noise` is the deviation of a sample, of 255: more in a small picture, where a camera has averaged less."""
    random = numpy.random.default_rng(seed)
    light = texture(size, random)
    channels = []
    for channel in leaves(size, random).split():
        samples = numpy.asarray(channel, numpy.float32) + light
        samples += random.standard_normal(samples.shape, numpy.float32) * noise
        channels.append(Image.fromarray(numpy.clip(samples, 0, 255).astype(numpy.uint8)))
    return Image.merge("RGB", channels)


def cut_out(picture):
    """A head and shoulders before nothing, with a soft edge."""
    width, height = picture.size
    alpha = Image.new("L", picture.size)
    draw = ImageDraw.Draw(alpha)
    draw.ellipse((width * 0.38, height * 0.1, width * 0.62, height * 0.62), fill=255)
    draw.ellipse((width * 0.25, height * 0.58, width * 0.75, height * 1.5), fill=255)
    picture = picture.copy()
    picture.putalpha(alpha.filter(ImageFilter.GaussianBlur(height / 300)))
    return picture


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    small, medium, large = (
        photograph(size, seed, noise)
        for seed, (size, noise) in enumerate(((MEGAPIXELS_3, 2), (MEGAPIXELS_12, 4), (MEGAPIXELS_49, 6)))
    )
    # Numbered, so that they are listed in this order.
    for name, picture, options in (
        ("1 JPEG, 12 MP.jpg", medium, {"quality": 90}),
        ("2 JPEG, 49 MP.jpg", large, {"quality": 85}),
        ("3 JPEG, progressive, 12 MP.jpg", medium, {"quality": 90, "progressive": True}),
        ("4 PNG with alpha, 3.5 MP.png", cut_out(small), {}),
        ("5 WebP, 12 MP.webp", medium, {"quality": 80}),
        ("6 WebP with alpha, 12 MP.webp", cut_out(medium), {"quality": 80}),
        ("7 GIF, 3.5 MP.gif", small.quantize(255), {}),
    ):
        path = folder / name
        picture.save(path, **options)
        assert path.stat().st_size <= 10 * 1024 * 1024, f"{name} is larger than an upload may be"


main(Path(sys.argv[1]))
