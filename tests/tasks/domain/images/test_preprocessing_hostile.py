"""Hostile files: whatever arrives under the name of a photograph becomes a picture or a rejection with its reason."""

import re
import zlib
from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from tasks.domain.images import preprocessing
from tasks.domain.images.preprocessing import Limits, Picture, open_picture
from tasks.domain.images.rejections import Reason, Rejection
from tests.servers import ROOT
from tests.tasks.domain.pictures import LIMITS, png, saved, scene, tiff

LONG_TEXT = zlib.compress(bytes(50 * 2**20))


def shape(width: int, height: int) -> bytes:
    """Store black pixels of two levels."""
    return saved(Image.new("1", (width, height)), "PNG")


def with_header(width: int, height: int) -> bytes:
    """Store a PNG whose header claims this size and which has no rows."""
    return png(width, height, (8, 2), b"")


def huge_canvas() -> bytes:
    """Store a small WebP whose canvas claims 16,384 x 16,384 pixels."""
    data = bytearray(saved(scene(), "WEBP", save_all=True, append_images=[Image.new("RGB", (160, 120))]))
    offset = data.index(b"VP8X") + 12
    data[offset : offset + 6] = b"\xff\x3f\0\xff\x3f\0"
    return bytes(data)


def endless_gif() -> bytes:
    """Store a GIF whose second frame never ends."""
    data = saved(scene(), "GIF")
    return data[:-1] + b"\x21\xfe" + b"\xffwoof" * 40_000


def long_profile() -> bytes:
    """Store a PNG whose colour profile unpacks to fifty megabytes."""
    return with_chunk(b"iCCP", b"x\0\0" + LONG_TEXT)


def with_chunk(name: bytes, body: bytes) -> bytes:
    """Store the scene with one more chunk of metadata before the rows."""
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(scene()))
    return png(160, 120, (8, 2), rows, (name, body))


def heic() -> bytes:
    """Store the scene as an iPhone would."""
    return saved(scene(), "HEIF", quality=95)


BAD: dict[str, tuple[Callable[[], bytes], Reason]] = {
    "nothing": (lambda: b"", Reason.EMPTY),
    "zero bytes": (lambda: bytes(5000), Reason.NOT_AN_IMAGE),
    "text": (lambda: b"just some words about dogs\n" * 40, Reason.NOT_AN_IMAGE),
    "an error page": (lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>", Reason.NOT_AN_IMAGE),
    "a drawing program's page": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', Reason.NOT_AN_IMAGE),
    "a format that nobody uses": (lambda: saved(scene(), "PPM"), Reason.NOT_AN_IMAGE),
    "a pdf": (lambda: saved(scene(), "PDF"), Reason.UNKNOWN_FORMAT),
    "a jpeg 2000": (lambda: saved(scene(), "JPEG2000"), Reason.UNKNOWN_FORMAT),
    "signed numbers": (lambda: tiff(np.zeros((40, 40), np.int16), 1, kind=2), Reason.UNKNOWN_FORMAT),
    "32-bit numbers": (lambda: tiff(np.zeros((40, 40), np.uint32), 1), Reason.UNKNOWN_FORMAT),
    "fractions": (lambda: tiff(np.zeros((40, 40), np.float32), 1, kind=3), Reason.UNKNOWN_FORMAT),
    "jpeg cut in half": (lambda: saved(scene(), "JPEG")[:1500], Reason.DAMAGED),
    "jpeg cut in its header": (lambda: saved(scene(), "JPEG")[:100], Reason.DAMAGED),
    "png cut after its header": (lambda: saved(scene(), "PNG")[:60], Reason.DAMAGED),
    "webp cut in half": (lambda: saved(scene(), "WEBP")[:200], Reason.DAMAGED),
    "gif cut in half": (lambda: saved(scene(), "GIF")[:5000], Reason.DAMAGED),
    "tiff cut in half": (lambda: saved(scene(), "TIFF", compression="tiff_lzw")[:5000], Reason.DAMAGED),
    "avif cut in half": (lambda: saved(scene(), "AVIF")[:600], Reason.DAMAGED),
    "bmp cut in half": (lambda: saved(scene(), "BMP")[:5000], Reason.DAMAGED),
    "heic cut in half": (lambda: heic()[: len(heic()) // 2], Reason.DAMAGED),
    "heic cut in its header": (lambda: heic()[:40], Reason.DAMAGED),
    "30,000 x 30,000": (lambda: shape(30_000, 30_000), Reason.TOO_MANY_PIXELS),
    "2 billion x 2 billion": (lambda: with_header(2**31 - 1, 2**31 - 1), Reason.TOO_MANY_PIXELS),
    "a small webp on a huge canvas": (huge_canvas, Reason.TOO_MANY_PIXELS),
    "a strip of 100,000 x 8": (lambda: shape(100_000, 8), Reason.TOO_SMALL),
    "a strip of 100,000 x 40": (lambda: shape(100_000, 40), Reason.TOO_NARROW),
    "tiny": (lambda: shape(8, 8), Reason.TOO_SMALL),
    "many bytes": (lambda: b"\xff\xd8\xff" + bytes(10**7), Reason.TOO_MANY_BYTES),
    "a text of 50 MB": (lambda: with_chunk(b"zTXt", b"x\0\0" + LONG_TEXT), Reason.DAMAGED),
    "an international text of 50 MB": (lambda: with_chunk(b"iTXt", b"x\0\1\0\0\0" + LONG_TEXT), Reason.DAMAGED),
    "a profile of 50 MB": (long_profile, Reason.DAMAGED),
}

# A file that is an allowed picture is that picture, whatever else it is: only its pixels are used.
GOOD: dict[str, Callable[[], bytes]] = {
    "jpeg and zip": lambda: saved(scene(), "JPEG") + b"PK\3\4" + bytes(500) + b"PK\5\6" + bytes(18),
    "gif and web page": lambda: saved(scene(), "GIF") + b"<script>woof()</script>",
    "jpeg with a page in its comment": lambda: saved(scene(), "JPEG", comment=b"<html><body>woof</body></html>"),
    "a gif that never ends": endless_gif,
    "a tiff of 60,000 tags that each hold all pixels": lambda: tiff(np.asarray(scene()), 2, more=60_000),
    "a tiff of many pages": lambda: saved(scene(), "TIFF", save_all=True, append_images=[scene()] * 50),
    "a panorama": lambda: shape(1600, 32),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_rejected_with_its_reason(kind: str) -> None:
    """A file that cannot become a training image is answered with a reason and one line of detail."""
    data, reason = BAD[kind]
    result = open_picture(data(), LIMITS)
    assert isinstance(result, Rejection)
    assert result.reason is reason, result
    assert result.detail
    assert "\n" not in result.detail


@pytest.mark.parametrize("kind", GOOD)
def test_an_odd_file_that_holds_a_picture_is_that_picture(kind: str) -> None:
    """Polyglots, endless animations and overgrown metadata are accepted where their first picture decodes."""
    result = open_picture(GOOD[kind](), LIMITS)
    assert isinstance(result, Picture), result


def test_heic_without_its_package_is_rejected_in_words() -> None:
    """Where the extra is not installed, an iPhone's photograph is refused with the way to change that."""
    with mock.patch.multiple(preprocessing, FORMATS=preprocessing.FORMATS[:-1], _EXTRA_FORMATS=()):
        result = open_picture(heic(), LIMITS)
    assert isinstance(result, Rejection)
    assert result.reason is Reason.UNKNOWN_FORMAT
    assert "pillow-heif" in result.detail


def test_the_setting_for_pixels_is_the_only_limit() -> None:
    """A limit above Pillow's own is obeyed: 200 megapixels are a picture where 300 are allowed."""
    result = open_picture(shape(20_000, 10_000), Limits(max_bytes=10**7, max_pixels=3 * 10**8, min_side=32))
    assert isinstance(result, Picture), result


def test_every_reason_is_documented() -> None:
    """docs/reference/rejections.md has one row for each reason, in the order of the list, and no other."""
    text = (ROOT / "docs" / "reference" / "rejections.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE) == [reason.value for reason in Reason]
