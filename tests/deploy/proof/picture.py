"""A photograph to upload, and a look at what became of it."""

from .template import REPOSITORY

JPEG = (REPOSITORY / "pictures/tests/data/progressive.jpg").read_bytes()


def dimensions(jpeg: bytes) -> tuple[int, int]:
    """Width and height, out of the frame header (ITU-T T.81, B.2.2)."""
    assert jpeg[:2] == b"\xff\xd8", "not a JPEG"
    at = 2
    while jpeg[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return int.from_bytes(jpeg[at + 7 : at + 9]), int.from_bytes(jpeg[at + 5 : at + 7])
