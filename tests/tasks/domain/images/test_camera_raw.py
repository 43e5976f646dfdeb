"""Camera raw is no training image, and ordinary TIFFs are, with as many pages and thumbnails as they like."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tasks.domain.images.file_formats import is_camera_raw
from tasks.domain.images.preprocessing import Picture, open_picture
from tasks.domain.images.rejections import Reason, Rejection
from tests.tasks.domain.pictures import LIMITS, saved, scene

Tags = dict[int, int]
MAKE, SENSOR, DNG = {271: 0}, {262: 32803}, {50706: 0x00000601}
PREVIEW, WHOLE = {254: 1}, {254: 0}


def tiff(
    first: Tags, others: Sequence[tuple[int, Tags]] = (), following: Tags | None = None, order: str = "<"
) -> bytes:
    """Write a TIFF of grey pixels: a first picture, 64 wide, others in SubIFDs by their width, and a page behind."""
    begin = {"<": b"II*\0", ">": b"MM\0*"}[order]
    place, parts, places = 8, [b""], []
    for width, tags in others:
        parts.append(_directory(tags, width, place, 0, order))
        places.append(place)
        place += len(parts[-1])
    page = place if following is not None else 0
    if following is not None:
        parts.append(_directory(following, 640, place, 0, order))
        place += len(parts[-1])
    if len(places) > 1:
        parts.append(struct.pack(f"{order}{len(places)}I", *places))
        sub = {330: place}
        place += len(parts[-1])
    else:
        sub = {330: places[0]} if places else {}
    parts[0] = begin + struct.pack(f"{order}I", place)
    parts.append(_directory({**first, **sub}, 64, place, page, order, len(places)))
    return b"".join(parts)


def _directory(tags: Tags, width: int, place: int, following: int, order: str, subs: int = 1) -> bytes:
    entries = {256: width, 257: 48, 258: 8, 259: 1, 262: 1, 277: 1, 278: 48, 279: width * 48, 273: 0, **tags}
    entries[273] = place + 2 + 12 * len(entries) + 4
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
