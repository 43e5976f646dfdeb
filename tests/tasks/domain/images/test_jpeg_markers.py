"""JPEGs of other kinds have their right names, and one that was cut off and closed again is found."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tasks.domain.images.file_formats import lacks_passes, lengthened, read_frame, unread_kind
from tasks.domain.images.preprocessing import Picture, open_picture
from tasks.domain.images.rejections import Reason, Rejection
from tests.tasks.domain.pictures import LIMITS, saved, scene

END = b"\xff\xd9"


def noisy() -> Image.Image:
    """Draw the scene with some noise, as a photograph has it."""
    noise = np.random.default_rng(0).normal(0, 12, (120, 160, 3))
    return Image.fromarray((np.asarray(scene()) + noise).clip(0, 255).astype(np.uint8))


def with_band(colour: tuple[int, int, int], top: int) -> Image.Image:
    """Draw a letterboxed picture: one flat colour from a row on, exactly that of what libjpeg fills up with."""
    image = noisy()
    ImageDraw.Draw(image).rectangle((0, top, 160, 120), colour)
    return image


def as_kind(kind: int, precision: int = 8) -> bytes:
    """Write a JPEG whose frame claims to be of another kind."""
    data = bytearray(saved(scene(), "JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 1], data[place + 4] = kind, precision
    return bytes(data)


WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "full colour": {"subsampling": 0, "quality": 95},
    "half colour": {"subsampling": 1},
    "restarts each row": {"restart_marker_rows": 1},
    "restarts each few blocks": {"restart_marker_blocks": 3},
    "own codes": {"optimize": True},
}
MODES = ("RGB", "L", "CMYK")
KINDS = {
    "JPEG of 12 bits a channel": [as_kind(0xC0, 12), as_kind(0xC1, 12), as_kind(0xC2, 12)],
    "JPEG of 16 bits a channel": [as_kind(0xC1, 16)],
    "lossless JPEG": [as_kind(0xC3), as_kind(0xC3, 12), as_kind(0xCB)],
    "JPEG with arithmetic coding": [as_kind(0xC9), as_kind(0xCA)],
    "hierarchical JPEG": [as_kind(0xC5), as_kind(0xC6)],
    "JPEG-LS": [as_kind(0xF7)],
    "JPEG 2000": [b"\xff\x4f\xff\x51" + bytes(40), b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40)],
    "JPEG XL": [b"\xff\x0a" + bytes(40), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40)],
}


def damaged(data: bytes) -> bool:
    """Tell whether a file is rejected as damaged."""
    answer = open_picture(data, LIMITS)
    return isinstance(answer, Rejection) and answer.reason is Reason.DAMAGED


@pytest.mark.parametrize("name", KINDS)
def test_other_kinds_have_their_right_name(name: str) -> None:
    """What is a good file of a kind that is not read is of an unknown format, and not damaged."""
    for data in KINDS[name]:
        answer = open_picture(data, LIMITS)
        assert isinstance(answer, Rejection)
        assert answer.reason is Reason.UNKNOWN_FORMAT
        assert answer.detail.startswith(f"{name} is not")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
def test_a_jpeg_that_was_cut_off_and_closed_is_damaged(way: str, mode: str, share: float) -> None:
    """Where the data end too early the rest would be grey, with an end marker or not, and in every way of coding."""
    data = saved(noisy().convert(mode), "JPEG", **WAYS[way])
    start = data.index(b"\xff\xda") + 14
    assert not damaged(data)
    cut = data[: start + int((len(data) - start) * share)]
    assert damaged(cut + END)
    assert damaged(cut + END + b"PK\x03\x04 an archive behind" + END)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_png_that_is_filled_up_with_zeros_is_damaged(share: float) -> None:
    """Pillow shows what lacks as black; a whole PNG with zeros behind its end, or without its end mark, is fine."""
    data = saved(noisy(), "PNG")
    assert damaged(data[: int(len(data) * share)].ljust(len(data), b"\0"))
    assert not damaged(data + bytes(512))
    assert not damaged(data[:-12])


@pytest.mark.parametrize("mode", MODES[:2])
def test_a_progressive_jpeg_cut_between_two_passes_is_damaged(mode: str) -> None:
    """A pass that is missing leaves a blurred picture; the whole file, and one with passes of its own, are fine."""
    data = saved(noisy().convert(mode), "JPEG", progressive=True)
    assert not damaged(data)
    passes = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    assert len(passes) > 3
    assert all(damaged(data[:place] + END) for place in passes[1:])


@pytest.mark.parametrize("grey", [127, 128, 129])
@pytest.mark.parametrize("way", [*WAYS, "progressive"])
def test_flat_grey_is_no_damage(way: str, grey: int) -> None:
    """A picture that truly ends in the very grey that a cut one is filled with is a picture."""
    options = WAYS.get(way, {"progressive": True})
    for top in (0, 8, 60, 100, 119):
        assert not damaged(saved(with_band((grey, grey, grey), top), "JPEG", **options))
        assert not damaged(saved(with_band((grey, grey, grey), top).convert("L"), "JPEG", **options))


def test_what_follows_a_whole_picture_changes_nothing() -> None:
    """Bytes behind the coded data of a whole JPEG leave the picture as it is."""
    data = saved(noisy(), "JPEG")
    frame = read_frame(data)
    assert frame is not None
    longer = open_picture(lengthened(data, frame), LIMITS)
    whole = open_picture(data, LIMITS)
    assert isinstance(longer, Picture)
    assert isinstance(whole, Picture)
    assert longer.image.tobytes() == whole.image.tobytes()


@given(st.binary(max_size=300), st.integers(2, 600))
def test_any_markers_get_an_answer(rest: bytes, place: int) -> None:
    """Whatever stands in a file, its markers are read to an end; a header that is cut off is an IndexError at most."""
    data = saved(scene(), "JPEG")
    for odd in (data[:3] + rest, data[:place] + rest, data[:place] + rest + data[place:]):
        frame = read_frame(odd)
        if frame is not None:
            assert unread_kind(frame) in {"", *KINDS} or frame.precision != 8
            try:
                lacks_passes(odd, frame)
                lengthened(odd, frame)
            except IndexError:
                pass
        assert isinstance(open_picture(odd, LIMITS), Picture | Rejection)
