"""Camera raw files that look like TIFF: what is decoded of them would be a preview, or numbers that are no colours.

Sources: TIFF 6.0, Adobe's Digital Negative specification 1.7, and what the makers' own formats have in common.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_SUBFILE, _WIDTH, _COMPRESSION, _PHOTOMETRIC, _MAKE, _OTHERS, _DNG = 254, 256, 259, 262, 271, 330, 50706
_TAGS = (_SUBFILE, _WIDTH, _COMPRESSION, _PHOTOMETRIC, _MAKE, _OTHERS, _DNG)
_SHORT, _LONG, _DIRECTORY = 3, 4, 13
_REDUCED = 1
# What a sensor saw through its colour filters, and the same as linear numbers.
_SENSOR = {32803, 34892}
# How Sony, Samsung, Nikon, Kodak and Pentax compress what their sensors saw.
_MAKERS_CODES = {32767, 32769, 32770, 34713, 65000, 65535}
_CANON = b"CR"
# So many pictures and tags of a file are looked at.
_MOST_PICTURES, _MOST_TAGS = 16, 1000


@dataclass(frozen=True, slots=True)
class _Directory:
    """The tags of one picture, each with its numbers, and where the next picture's stand; 0 for nowhere."""

    tags: Mapping[int, Sequence[int]]
    next: int

    def get(self, tag: int) -> int:
        return next(iter(self.tags.get(tag, ())), 0)


def is_camera_raw(data: bytes) -> bool:
    """Tell whether a TIFF holds what a camera's sensor saw, or begins with the preview of another picture."""
    order = _ORDERS.get(data[:4])
    if order is None:
        return False
    try:
        first = _directory(data, order, struct.unpack_from(f"{order}I", data, 4)[0])
        return data[8:10] == _CANON or _is_sensors(first) or _leads_to_raw(data, order, first)
    except struct.error:
        # It is cut off, which whoever decodes it says better.
        return False


def _leads_to_raw(data: bytes, order: str, first: _Directory) -> bool:
    others = [_directory(data, order, place) for place in first.tags.get(_OTHERS, ())]
    if first.get(_SUBFILE) & _REDUCED and first.next:
        others.append(_directory(data, order, first.next))
    larger = any(other.get(_WIDTH) > first.get(_WIDTH) for other in others)
    return any(map(_is_sensors, others)) or bool(first.get(_SUBFILE) & _REDUCED and larger)


def _is_sensors(picture: _Directory) -> bool:
    by_maker = _MAKE in picture.tags and picture.get(_COMPRESSION) in _MAKERS_CODES
    return _DNG in picture.tags or picture.get(_PHOTOMETRIC) in _SENSOR or by_maker


def _directory(data: bytes, order: str, place: int) -> _Directory:
    """Read a directory; raise struct.error where it is cut off."""
    (number,) = struct.unpack_from(f"{order}H", data, place)
    tags = {}
    for at in range(place + 2, place + 2 + 12 * min(number, _MOST_TAGS), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
        if tag in _TAGS:
            tags[tag] = _numbers(data, order, at + 8, (kind, min(count, _MOST_PICTURES)))
    behind = place + 2 + 12 * number
    return _Directory(tags, struct.unpack_from(f"{order}I", data, behind)[0] if behind + 4 <= len(data) else 0)


def _numbers(data: bytes, order: str, place: int, shape: tuple[int, int]) -> Sequence[int]:
    """Read a tag's whole numbers, which stand in the directory if they fit, and elsewhere if not."""
    kind, count = shape
    letter = {_SHORT: "H", _LONG: "I", _DIRECTORY: "I"}.get(kind)
    if letter is None:
        return ()
    size = struct.calcsize(f"{order}{count}{letter}")
    if size > 4:  # noqa: PLR2004 - bytes of a value
        (place,) = struct.unpack_from(f"{order}I", data, place)
    return struct.unpack_from(f"{order}{count}{letter}", data, place)
