"""Makes the files beside it, for what no encoder among our dependencies writes. Needs Pillow, and jpegtran of
libjpeg-turbo.

Every picture has the same four quarters: red, green above blue, yellow.
"""
import struct
import subprocess
from pathlib import Path

from PIL import Image, ImageFilter

HERE = Path(__file__).parent


def quarters(width, height):
    picture = Image.new("RGB", (width, height))
    for index, colour in enumerate(((230, 30, 30), (30, 200, 30), (30, 30, 230), (230, 220, 30))):
        left, top = index % 2 * (width // 2), index // 2 * (height // 2)
        picture.paste(colour, (left, top, left + width // 2 + 1, top + height // 2 + 1))
    return picture


def with_hole(picture):
    """Soft transparency in the middle."""
    width, height = picture.size
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (width * 3 // 8, height * 3 // 8, width * 5 // 8, height * 5 // 8))
    picture = picture.copy()
    picture.putalpha(alpha.filter(ImageFilter.GaussianBlur(3)))
    return picture


def save(name, picture, **options):
    picture.save(HERE / name, **options)
    assert (HERE / name).stat().st_size <= 10_000, name


def cmyk_profile():
    """An ICC profile that shows every ink as the same gray: nobody could mistake it for the naive rule."""
    def tag(kind, data):
        return kind + b"\0\0\0\0" + data

    identity = bytes(range(256))
    table = tag(b"mft1", struct.pack(">BBBB", 4, 3, 2, 0) + struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
                + identity * 4 + bytes((135, 128, 128)) * 16 + identity * 3)
    white = tag(b"XYZ ", struct.pack(">3i", 63190, 65536, 54061))
    text = tag(b"text", b"Test\0\0\0\0")
    tags, data, offset = b"", b"", 128 + 4 + 12 * 4
    for name, content in ((b"A2B0", table), (b"wtpt", white), (b"desc", text), (b"cprt", text)):
        content += b"\0" * (-len(content) % 4)
        tags += struct.pack(">4sII", name, offset + len(data), len(content))
        data += content
    head = struct.pack(">I4sI4s4s4s12s4s4s", offset + len(data), b"\0" * 4, 0x02400000, b"prtr", b"CMYK", b"Lab ",
                       struct.pack(">6H", 2020, 1, 1, 0, 0, 0), b"acsp", b"\0" * 4)
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", 4) + tags + data


small, large = quarters(160, 120), quarters(1200, 1040)
# Successive approximation, in a picture that is kept whole and in one that is decoded smaller.
save("progressive.jpg", small, quality=80, subsampling=2, progressive=True)
save("progressive_large.jpg", large.filter(ImageFilter.GaussianBlur(20)), quality=10, subsampling=2, progressive=True, optimize=True)
save("lossy.webp", small, quality=60)
save("lossy_alpha.webp", with_hole(small), quality=60, alpha_quality=100)
save("animated.webp", small, save_all=True, append_images=[Image.new("RGB", small.size, "black")], quality=60)
save("lossless_alpha.webp", with_hole(small), lossless=True, exact=True)
for name, *options in (("arithmetic.jpg", "-restart", "2"), ("arithmetic_progressive.jpg", "-progressive")):
    coded = subprocess.run(["jpegtran", "-arithmetic", *options, HERE / "progressive.jpg"], capture_output=True, check=True)
    (HERE / name).write_bytes(coded.stdout)
(HERE / "cmyk.icc").write_bytes(cmyk_profile())
