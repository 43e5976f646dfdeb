"""Odd files that lie among photographs, each with the reason that rejects it or none where it is a photograph."""

import gzip
import io
import struct
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from tasks.domain.images.rejections import Reason
from tests.tasks.domain.pictures import png, saved, scene, tiff

Make = Callable[[], bytes]


def _sof(data: bytes, marker: int, precision: int = 8) -> bytes:
    """Rename the frame of a JPEG: its marker says how it is coded, the byte after its length how deep it is."""
    offset = next(data.index(bytes([0xFF, kind])) for kind in (0xC0, 0xC2) if bytes([0xFF, kind]) in data)
    return (
        data[: offset + 1] + bytes([marker]) + data[offset + 2 : offset + 4] + bytes([precision]) + data[offset + 5 :]
    )


def _jpeg() -> bytes:
    return saved(scene(), "JPEG", quality=90)


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(scene(), "JPEG", exif=exif)


def _closed_again() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC), "JPEG", quality=90)
    return data[: len(data) // 2] + b"\xff\xd9"


def _filled_with_zeros() -> bytes:
    """Write half of a PNG into a file of its whole size, as systems leave it that lose power."""
    data = saved(scene(), "PNG")
    return data[: len(data) // 2].ljust(len(data), b"\0")


def _camera_raw() -> bytes:
    """Write the beginning of a DNG: a small preview, a tag with the version of DNG, and the picture in a SubIFD."""
    width, height = 64, 48
    pixels = np.asarray(scene().resize((width, height))).tobytes()
    entries = [
        (254, 4, 1, 1),
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, 0),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 0),
        (277, 3, 1, 3),
        (278, 4, 1, height),
        (279, 4, 1, len(pixels)),
        (330, 4, 1, 0),
        (50706, 1, 4, 0x00000401),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    bits, sub, data = start, start + 6, start + 6 + 6
    places = {258: bits, 273: data, 330: sub}
    table = b"".join(
        struct.pack("<HHII", tag, kind, number, places.get(tag, value)) for tag, kind, number, value in entries
    )
    directory = struct.pack("<H", len(entries)) + table + bytes(4)
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + directory
        + struct.pack("<3H", 8, 8, 8)
        + struct.pack("<H", 0)
        + bytes(4)
        + pixels
    )


def _mpo() -> bytes:
    sink = io.BytesIO()
    scene().save(sink, "MPO", save_all=True, append_images=[scene()])
    return sink.getvalue()


#: What is a photograph, whatever its name says.
GOOD: Mapping[str, Make] = {
    "upper case.JPEG": _jpeg,
    "no extension": _jpeg,
    "a png called.jpg": lambda: saved(scene(), "PNG"),
    "a jpeg called.heic": _jpeg,
    "upright.jpg": _turned,
    "with a tail.jpg": lambda: _jpeg() + b"\0" * 100,
    "motion.jpg": lambda: _jpeg() + b"\0\0\0\x18ftypmp42" + bytes(200),
    "two lenses.jpg": _mpo,
    "webp.webp": lambda: saved(scene(), "WEBP"),
    "avif.avif": lambda: saved(scene(), "AVIF"),
    "heic.heic": lambda: saved(scene(), "HEIF", quality=95),
    "pages.tiff": lambda: saved(scene(), "TIFF", save_all=True, append_images=[scene()] * 2),
    "café + 100% #1?.jpg": _jpeg,
    "👍🏽.jpg": _jpeg,
}

#: What is none, with the reason that must stand beside its key.
BAD: Mapping[str, tuple[Make, Reason]] = {
    "empty.jpg": (bytes, Reason.EMPTY),
    ".DS_Store": (lambda: b"\0\0\0\1Bud1" + bytes(60), Reason.NOT_AN_IMAGE),
    "Thumbs.db": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), Reason.NOT_AN_IMAGE),
    "._photo.jpg": (lambda: b"\0\5\x16\7" + bytes(80), Reason.NOT_AN_IMAGE),
    "desktop.ini": (lambda: b"[.ShellClassInfo]\r\n", Reason.NOT_AN_IMAGE),
    "page.jpg": (lambda: b"<!DOCTYPE html><html>404</html>", Reason.NOT_AN_IMAGE),
    "packed.jpg": (lambda: gzip.compress(_jpeg()), Reason.NOT_AN_IMAGE),
    "drawing.svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', Reason.NOT_AN_IMAGE),
    "paper.pdf": (lambda: saved(scene(), "PDF"), Reason.UNKNOWN_FORMAT),
    "jpeg 2000.jp2": (lambda: saved(scene(), "JPEG2000"), Reason.UNKNOWN_FORMAT),
    "twelve bits.jpg": (lambda: _sof(_jpeg(), 0xC1, 12), Reason.UNKNOWN_FORMAT),
    "lossless.jpg": (lambda: _sof(_jpeg(), 0xC3), Reason.UNKNOWN_FORMAT),
    "raw.dng": (_camera_raw, Reason.UNKNOWN_FORMAT),
    "fractions.tiff": (lambda: tiff(np.zeros((40, 40), np.float32), 1, kind=3), Reason.UNKNOWN_FORMAT),
    "cut.jpg": (lambda: _jpeg()[:1500], Reason.DAMAGED),
    "cut and closed again.jpg": (_closed_again, Reason.DAMAGED),
    "filled with zeros.png": (_filled_with_zeros, Reason.DAMAGED),
    "without its last bytes.jpg": (lambda: _jpeg()[:-2], Reason.DAMAGED),
    "bomb.png": (lambda: png(2**31 - 1, 2**31 - 1, (8, 2), b""), Reason.TOO_MANY_PIXELS),
    "tiny.png": (lambda: saved(Image.new("RGB", (8, 8)), "PNG"), Reason.TOO_SMALL),
    "strip.png": (lambda: saved(Image.new("1", (100_000, 40)), "PNG"), Reason.TOO_NARROW),
}
