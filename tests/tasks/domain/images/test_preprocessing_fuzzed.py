"""Fuzzing the pixel function: real photographs in every format, mutated at will, never make it raise."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.domain.images.preprocessing import Picture, open_picture, preprocess_image
from tasks.domain.images.rejections import Rejection
from tests.tasks.domain.pictures import ADOBE_RGB, LIMITS, colour_profile, saved

# The numbers at which sizes, counts and offsets go wrong.
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
KINDS: dict[str, dict[str, object]] = {
    "JPEG": {"progressive": True},
    "MPO": {},
    "PNG": {},
    "WEBP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "BMP": {},
    "GIF": {},
    "AVIF": {},
    "HEIF": {},
}


@pytest.fixture(scope="module")
def files(photos: Path) -> list[bytes]:
    """Read a few real photographs: as they are, and small, with metadata and a second frame, in every format."""
    photographs = []
    for path in sorted(photos.rglob("*.jpg"), key=lambda path: path.stat().st_size)[:3]:
        photographs.append(path.read_bytes())
        image = Image.open(io.BytesIO(photographs[-1])).convert("RGB")
        image.thumbnail((120, 120))
        exif = Image.Exif()
        exif[0x0112], exif[0x010E] = 6, "a dog"
        marks = {"exif": exif.tobytes(), "icc_profile": colour_profile(ADOBE_RGB, 2.2)}
        photographs += [saved(image, kind, **marks, **options) for kind, options in KINDS.items()]
        photographs += [saved(image.convert(mode), "TIFF") for mode in ("1", "L", "P", "LA", "CMYK", "YCbCr", "LAB")]
        photographs.append(saved(image, "GIF", save_all=True, append_images=[image.rotate(90)]))
    return photographs


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Draw what happens to a file: places from 0 to 1, each with bytes that are overwritten, put in or left out."""
    positions = st.floats(0, 1, exclude_max=True)
    number = st.builds(struct.pack, st.sampled_from(["<I", ">I"]), st.sampled_from(EDGES))
    new = st.one_of(st.binary(max_size=4), number)
    changes = draw(st.lists(st.tuples(positions, st.integers(0, 8), new, st.booleans()), min_size=1, max_size=12))
    end = draw(st.one_of(st.none(), positions))

    def mutate(data: bytes) -> bytes:
        mutant = bytearray(data)
        for where, length, put, early in changes:
            start = int(where * (min(len(mutant), 600) if early else len(mutant)))
            mutant[start : start + length] = put
        return checked(bytes(mutant if end is None else mutant[: int(end * len(mutant))]))

    return mutate


def checked(data: bytes) -> bytes:
    """Give every chunk of a PNG the checksum that it needs to be looked into."""
    offset, mended = 8, data[:8]
    while data.startswith(b"\x89PNG") and offset + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        body = data[offset + 4 : offset + 8 + length]
        mended += data[offset : offset + 4] + body + struct.pack(">I", zlib.crc32(body))
        offset += 12 + length
    return mended + data[offset:] if len(mended) > 8 else data


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(index=st.integers(0, 10_000), mutate=mutations())
def test_no_mutation_of_a_photograph_raises(files: list[bytes], index: int, mutate: Callable[[bytes], bytes]) -> None:
    """A mutated file becomes a picture or a rejection of one line, and a picture has the promised form."""
    data = mutate(files[index % len(files)])
    result = open_picture(data, LIMITS)
    if isinstance(result, Picture):
        assert (result.image.mode, min(result.image.size) >= LIMITS.min_side) == ("RGB", True)
        assert not isinstance(preprocess_image(data, 75, LIMITS), Rejection)
    else:
        assert "\n" not in result.detail
