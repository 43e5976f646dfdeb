"""Pictures for tests: one scene in many kinds of file, and the pieces of which odd files are made."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.domain.images.preprocessing import Limits

LIMITS = Limits(max_bytes=10**7, max_pixels=10**7, min_side=32)
_D50 = (0.9642, 1.0, 0.8249)
# Columns are the red, green and blue primaries in XYZ under D50, as the profiles of these colour spaces hold them.
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
DISPLAY_P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])


def scene() -> Image.Image:
    """Draw a picture whose corners differ, so that a turn or a flip shows."""
    across = np.linspace(0, 1, 160)[None, :, None] * np.array([200, 40, 10])
    down = np.linspace(0, 1, 120)[:, None, None] * np.array([10, 150, 220])
    return Image.fromarray((across + down).clip(0, 255).astype(np.uint8))


def grey_scene() -> Image.Image:
    """Draw the scene without its colours."""
    return scene().convert("L")


def half_white(image: Image.Image) -> Image.Image:
    """Make the right half of a picture white."""
    image = image.convert("RGB")
    image.paste((255, 255, 255), (80, 0, 160, 120))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Write a picture the way a file would hold it."""
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def linear(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Turn sRGB's levels into light from 0 to 1 (IEC 61966-2-1)."""
    value = levels / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def in_space(primaries: NDArray[np.float64], gamma: float) -> Image.Image:
    """Write the scene in the numbers of another colour space."""
    light = linear(np.asarray(scene())) @ (np.linalg.inv(primaries) @ SRGB).T
    return Image.fromarray((light.clip(0, 1) ** (1 / gamma) * 255).round().astype(np.uint8))


def colour_profile(primaries: NDArray[np.float64], gamma: float) -> bytes:
    """Make an ICC profile of three primaries and one gamma (ICC.1:2001-04)."""
    columns = {name: _xyz(primaries[:, index]) for index, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return _profile(b"RGB ", {**columns, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(gamma))})


def grey_profile(gamma: float) -> bytes:
    """Make an ICC profile of one grey channel."""
    return _profile(b"GRAY", {b"kTRC": _gamma(gamma)})


def _profile(space: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    tags = {b"desc": b"desc" + struct.pack(">II", 0, 5) + b"test\0" + bytes(79), b"wtpt": _xyz(_D50), **tags}
    table, body, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += name + struct.pack(">II", offset + len(body), len(value))
        body += padded
    header = struct.pack(">I4sI4s4s4s", offset + len(body), bytes(4), 0x02100000, b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return header.ljust(128, b"\0") + table + body


def _xyz(numbers: Sequence[float] | NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def _gamma(number: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(number * 256))


def png(width: int, height: int, kind: tuple[int, int], rows: bytes, *rest: tuple[bytes, bytes]) -> bytes:
    """Write a PNG of a bit depth and colour type that Pillow cannot write, with other chunks before the rows."""
    header = struct.pack(">IIBBBBB", width, height, *kind, 0, 0, 0)
    chunks = [(b"IHDR", header), *rest, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def deep_png(levels: NDArray[np.uint16], colour_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Write a PNG of sixteen bits a channel: (height, width) or (height, width, channels)."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    return png(levels.shape[1], levels.shape[0], (16, colour_type), rows, *chunks)


def tiff(numbers: NDArray[np.generic], photometric: int, kind: int = 1, more: int = 0) -> bytes:
    """Write a plain TIFF of numbers as they are: (height, width) or (height, width, channels).

    ``kind`` is TIFF's SampleFormat; ``more`` adds so many private tags, each of which points to all the pixels.
    """
    channels = numbers.shape[2] if numbers.ndim == 3 else 1
    data, bits = numbers.tobytes(), numbers.dtype.itemsize * 8
    tags = {
        256: numbers.shape[1],
        257: numbers.shape[0],
        258: bits,
        259: 1,
        262: photometric,
        273: 8,
        277: channels,
        278: numbers.shape[0],
        279: len(data),
        339: kind,
    }
    many = {258: 3, 339: 3} if channels == 3 else {}
    end = 8 + len(data)
    triples = struct.pack("<3H3H", *[bits] * 3, *[kind] * 3)
    entries = b""
    for tag, value in tags.items():
        offset = end if tag == 258 else end + 6
        entries += struct.pack("<HHII", tag, 3, 3, offset) if tag in many else struct.pack("<HHII", tag, 4, 1, value)
    entries += b"".join(struct.pack("<HHII", 40_000 + index % 20_000, 1, len(data), 8) for index in range(more))
    directory = struct.pack("<H", len(tags) + more) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", end + 12) + data + triples + directory


def progressive_bomb() -> bytes:
    """Write a JPEG of about a megabyte whose last pass over 25 megapixels comes 20,000 times: minutes of work."""
    data = saved(Image.new("L", (5000, 5000), 255), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * 20_000 + data[-2:]
