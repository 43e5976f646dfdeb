"""File formats: camera raw is no training image, and each kind of JPEG has its right name."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tasks.domain.images.file_formats import (
    append_noise,
    exceeds_passes,
    is_camera_raw,
    lacks_scans,
    read_frame,
    unsupported_kind,
)
from tasks.domain.images.preprocessing import Picture, open_picture
from tasks.domain.images.rejections import Reason, Rejection
from tests.tasks.domain.pictures import LIMITS, saved, scene

Tags = dict[int, int]
MAKE, SENSOR, DNG = {271: 0}, {262: 32803}, {50706: 0x00000601}
PREVIEW, WHOLE = {254: 1}, {254: 0}


def tiff(
    first: Tags, sub_images: Sequence[tuple[int, Tags]] = (), following: Tags | None = None, order: str = "<"
) -> bytes:
    """Write a TIFF of grey pixels: a first picture, 64 wide, others in SubIFDs by their width, and a page behind."""
    begin = {"<": b"II*\0", ">": b"MM\0*"}[order]
    offset, parts, places = 8, [b""], []
    for width, tags in sub_images:
        parts.append(_directory(tags, width, offset, 0, order))
        places.append(offset)
        offset += len(parts[-1])
    page = offset if following is not None else 0
    if following is not None:
        parts.append(_directory(following, 640, offset, 0, order))
        offset += len(parts[-1])
    if len(places) > 1:
        parts.append(struct.pack(f"{order}{len(places)}I", *places))
        sub = {330: offset}
        offset += len(parts[-1])
    else:
        sub = {330: places[0]} if places else {}
    parts[0] = begin + struct.pack(f"{order}I", offset)
    parts.append(_directory({**first, **sub}, 64, offset, page, order, len(places)))
    return b"".join(parts)


def _directory(tags: Tags, width: int, offset: int, following: int, order: str, subs: int = 1) -> bytes:
    entries = {256: width, 257: 48, 258: 8, 259: 1, 262: 1, 277: 1, 278: 48, 279: width * 48, 273: 0, **tags}
    entries[273] = offset + 2 + 12 * len(entries) + 4
    body = b"".join(
        struct.pack(f"{order}HHII", tag, 4, subs if tag == 330 else 1, value) for tag, value in sorted(entries.items())
    )
    return struct.pack(f"{order}H", len(entries)) + body + struct.pack(f"{order}I", following) + bytes(width * 48)


RAW = {
    "a DNG whose preview comes first": tiff({**PREVIEW, **DNG}, [(800, SENSOR)]),
    "a NEF whose preview comes first": tiff({**PREVIEW, **MAKE}, [(320, {}), (800, SENSOR)]),
    "an ARW of the other byte order": tiff({**PREVIEW, **MAKE}, [(800, SENSOR)], order=">"),
    "a PEF whose first picture is the sensor's": tiff({**MAKE, **SENSOR, 259: 65535}),
    "a linear DNG": tiff({262: 34892, **DNG}),
    "a maker's own compression": tiff({**MAKE, 259: 32767}),
    "a preview of a larger SubIFD": tiff(PREVIEW, [(800, {})]),
    "a preview of a larger second page": tiff(PREVIEW, following=WHOLE),
    "what a sensor saw in a smaller SubIFD": tiff(WHOLE, [(32, SENSOR)]),
    "a CR2": b"II*\0\x10\0\0\0CR\x02\0" + b"\0" * 4 + struct.pack("<HI", 0, 0),
    "an ORF": b"IIRO\x08\0\0\0" + bytes(64),
    "an RW2": b"IIU\0\x18\0\0\0" + bytes(64),
    "a RAF": b"FUJIFILMCCD-RAW 0201" + bytes(64),
    "a CR3": b"\0\0\0\x18ftypcrx " + bytes(64),
}
ORDINARY = {
    "one page": saved(scene(), "TIFF"),
    "three pages": saved(scene(), "TIFF", save_all=True, append_images=[scene(), scene()]),
    "a thumbnail behind": saved(scene(), "TIFF", save_all=True, append_images=[scene().resize((40, 30))]),
    "a pyramid in SubIFDs": tiff({**WHOLE, **MAKE}, [(32, PREVIEW), (16, PREVIEW)]),
    "a preview alone": tiff(PREVIEW),
    "a scanner's, with its maker": saved(scene(), "TIFF", tiffinfo={271: "Epson", 272: "V600"}),
    "compressed": saved(scene(), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("data", RAW.values(), ids=RAW)
def test_camera_raw_is_an_unknown_format(data: bytes) -> None:
    """What a camera's sensor saw, and a preview that stands before it, is named camera raw and not used."""
    answer = open_picture(data, LIMITS)
    assert isinstance(answer, Rejection)
    assert (answer.reason, answer.detail.split(" is ")[0]) == (Reason.UNKNOWN_FORMAT, "camera raw")


@pytest.mark.parametrize("data", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_tiffs_are_pictures(data: bytes) -> None:
    """Pages, pyramids, thumbnails and makers' names do not make a TIFF camera raw."""
    assert isinstance(open_picture(data, LIMITS), Picture)


@given(st.sampled_from([b"II*\0", b"MM\0*"]), st.binary(max_size=200))
def test_any_bytes_get_an_answer(begin: bytes, rest: bytes) -> None:
    """Whatever follows a TIFF's first bytes, the question is answered without an error."""
    assert is_camera_raw(begin + rest) in {True, False}


@given(st.integers(0, 400))
def test_a_raw_file_cut_anywhere_gets_an_answer(length: int) -> None:
    """A raw file that was cut off is no error either."""
    assert is_camera_raw(tiff({**PREVIEW, **MAKE}, [(320, {}), (800, SENSOR)])[:length]) in {True, False}


def test_the_shortest_side_of_the_written_ones_is_allowed() -> None:
    """The TIFFs written here are pictures but for what makes them raw."""
    answer = open_picture(tiff({}), LIMITS)
    assert isinstance(answer, Picture)
    assert answer.image.size == (64, 48)
    assert isinstance(answer.image, Image.Image)


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
    offset = data.index(b"\xff\xc0")
    data[offset + 1], data[offset + 4] = kind, precision
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
    passes = [offset for offset in range(len(data)) if data[offset : offset + 2] == b"\xff\xda"]
    assert len(passes) > 3
    assert all(damaged(data[:offset] + END) for offset in passes[1:])


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
    longer = open_picture(append_noise(data, frame), LIMITS)
    picture = open_picture(data, LIMITS)
    assert isinstance(longer, Picture)
    assert isinstance(picture, Picture)
    assert longer.image.tobytes() == picture.image.tobytes()


@given(st.binary(max_size=300), st.integers(2, 600))
def test_any_markers_get_an_answer(rest: bytes, offset: int) -> None:
    """Whatever stands in a file, its markers are read to an end; a header that is cut off is an IndexError at most."""
    data = saved(scene(), "JPEG")
    for odd in (data[:3] + rest, data[:offset] + rest, data[:offset] + rest + data[offset:]):
        frame = read_frame(odd)
        if frame is not None:
            assert unsupported_kind(frame) in {"", *KINDS} or frame.precision != 8
            try:
                lacks_scans(odd, frame)
                append_noise(odd, frame)
            except IndexError:
                pass
        assert isinstance(open_picture(odd, LIMITS), Picture | Rejection)


def test_passes_over_a_picture_are_counted_without_decoding() -> None:
    """A JPEG is told by its scans times its pixels; a film behind its end counts not."""
    plain = saved(scene(), "JPEG", progressive=True)
    start = plain.rindex(b"\xff\xda")
    pixels = scene().width * scene().height
    more = plain[:start] + plain[start:-2] * 100 + plain[-2:]
    assert not exceeds_passes(plain + b"\xff\xda" * 1000, 20 * pixels)
    assert exceeds_passes(more, 99 * pixels)
    assert not exceeds_passes(more, 200 * pixels)
    assert exceeds_passes(plain[:start] + plain[start:-2] * 10_000 + plain[-2:], 10**12)
    assert not any(exceeds_passes(more[:size], 10**9) for size in range(len(plain)))
    assert not exceeds_passes(saved(scene(), "PNG"), 1)
