"""What the markers of a JPEG say: how it is coded, and whether all of it is there.

Sources: ITU-T T.81 (JPEG), annexes B and G; ITU-T T.87 (JPEG-LS).
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_START_OF_SCAN, _END, _JPEG_LS = 0xDA, 0xD9, 0xF7
# Markers between 0xC0 and 0xCF that begin no frame: tables of Huffman and arithmetic codes, and one that is reserved.
_NO_FRAME = {0xC4, 0xC8, 0xCC}
_ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}
_PROGRESSIVE = {0xC2, 0xC6}
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_ARITHMETIC = {0xC9, 0xCA, 0xCD, 0xCE}
_HIERARCHICAL = {0xC5, 0xC6}
# Coded data end where a marker stands that is no restart and no byte of data, which is followed by a zero.
_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_COEFFICIENTS = 64
# Bits that are no picture in any code, without a marker among them.
_NOISE = bytes((7 * offset * offset + 31 * offset + 3) % 251 for offset in range(512))


@dataclass(frozen=True, slots=True)
class Frame:
    """How a JPEG is coded: the kind of its frame, bits a channel, its channels, and where its first scan begins."""

    kind: int
    precision: int
    channels: bytes
    scan: int


@dataclass(frozen=True, slots=True)
class Scan:
    """One pass over the picture: which coefficients of which channels, down to which bit, and where its data begin."""

    channels: bytes
    first: int
    last: int
    low: int
    data: int


def read_frame(data: bytes) -> Frame | None:
    """Read the markers up to the first scan; None where they lead nowhere."""
    frame_fields = (0, 0, b"")
    for marker, offset in _segments(data, 2):
        if marker == _START_OF_SCAN:
            return Frame(*frame_fields, offset) if frame_fields[2] else None
        if marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME):  # noqa: PLR2004 - as T.81 has it
            body = data[offset + 4 : offset + 2 + _length(data, offset)]
            frame_fields = (marker, body[0], body[6::3][: body[5]]) if len(body) > 6 else frame_fields  # noqa: PLR2004
    return None


def unread_kind(frame: Frame) -> str:
    """Name the kind of JPEG that is not read; empty for what every program reads, eight bits in Huffman codes."""
    if frame.kind == _JPEG_LS:
        return "JPEG-LS"
    if frame.kind in _LOSSLESS:
        return "lossless JPEG"
    if frame.precision != 8:  # noqa: PLR2004 - bits
        return f"JPEG of {frame.precision} bits a channel"
    if frame.kind in _ARITHMETIC:
        return "JPEG with arithmetic coding"
    return "hierarchical JPEG" if frame.kind in _HIERARCHICAL else ""


def lacks_passes(data: bytes, frame: Frame) -> bool:
    """Tell whether passes are missing: a channel that never comes, or coefficients that are not sent to their last bit.

    Nobody need send the finest coefficients of colour at all, so those are asked of brightness alone.
    """
    if frame.kind not in _PROGRESSIVE and _scan(data, frame.scan).channels == frame.channels:
        return False
    lowest = {channel: [-1] * _COEFFICIENTS for channel in frame.channels}
    for scan in _scans(data, frame):
        for channel in scan.channels:
            if channel in lowest:
                lowest[channel][scan.first : scan.last + 1] = [scan.low] * (scan.last + 1 - scan.first)
    unfinished = any(low > 0 for lows in lowest.values() for low in lows)
    absent = any(lows[0] < 0 for lows in lowest.values())
    return unfinished or absent or min(lowest[frame.channels[0]]) < 0


def lengthened(data: bytes, frame: Frame) -> bytes:
    """Put noise behind the coded data: the picture stays as it is if they were whole, and changes if they were cut."""
    end = _data_end(data, list(_scans(data, frame))[-1].data)
    return data[:end] + _NOISE + data[end:]


def _segments(data: bytes, offset: int) -> Iterator[tuple[int, int]]:
    """Yield each marker with its place, up to the end or to a scan's."""
    while 0 <= offset < len(data) - 3:
        marker = data[offset + 1]
        if data[offset] != 0xFF or marker == 0xFF:  # noqa: PLR2004 - every marker begins so, after any number of fill bytes
            offset = data.find(b"\xff", offset + 1)
        elif marker in _ALONE:
            offset += 2
        elif marker == _END:
            return
        else:
            yield marker, offset
            offset += 2 + _length(data, offset)


def _scans(data: bytes, frame: Frame) -> Iterator[Scan]:
    offset = frame.scan
    while offset >= 0:
        scan = _scan(data, offset)
        yield scan
        behind = _segments(data, _data_end(data, scan.data))
        offset = next((at for marker, at in behind if marker == _START_OF_SCAN), -1)


def _scan(data: bytes, offset: int) -> Scan:
    """Read the header of a scan; raise IndexError where it is cut off."""
    number = data[offset + 4]
    behind = offset + 5 + 2 * number
    first, last, bits = data[behind], min(data[behind + 1], _COEFFICIENTS - 1), data[behind + 2]
    return Scan(data[offset + 5 : behind : 2], first, last, bits & 15, offset + 2 + _length(data, offset))


def _data_end(data: bytes, start: int) -> int:
    marker = _NEXT.search(data, start)
    return marker.start() if marker else len(data)


def _length(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset + 2 : offset + 4])


_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_SUBFILE, _WIDTH, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES, _DNG = 254, 256, 259, 262, 271, 330, 50706
_TAGS = (_SUBFILE, _WIDTH, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES, _DNG)
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
    other_directories = [_directory(data, order, offset) for offset in first.tags.get(_SUB_DIRECTORIES, ())]
    if first.get(_SUBFILE) & _REDUCED and first.next:
        other_directories.append(_directory(data, order, first.next))
    larger = any(other.get(_WIDTH) > first.get(_WIDTH) for other in other_directories)
    return any(map(_is_sensors, other_directories)) or bool(first.get(_SUBFILE) & _REDUCED and larger)


def _is_sensors(picture: _Directory) -> bool:
    by_maker = _MAKE in picture.tags and picture.get(_COMPRESSION) in _MAKERS_CODES
    return _DNG in picture.tags or picture.get(_PHOTOMETRIC) in _SENSOR or by_maker


def _directory(data: bytes, order: str, offset: int) -> _Directory:
    """Read a directory; raise struct.error where it is cut off."""
    (number,) = struct.unpack_from(f"{order}H", data, offset)
    tags = {}
    for at in range(offset + 2, offset + 2 + 12 * min(number, _MOST_TAGS), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
        if tag in _TAGS:
            tags[tag] = _numbers(data, order, at + 8, (kind, min(count, _MOST_PICTURES)))
    behind = offset + 2 + 12 * number
    return _Directory(tags, struct.unpack_from(f"{order}I", data, behind)[0] if behind + 4 <= len(data) else 0)


def _numbers(data: bytes, order: str, offset: int, shape: tuple[int, int]) -> Sequence[int]:
    """Read a tag's whole numbers, which stand in the directory if they fit, and elsewhere if not."""
    kind, count = shape
    letter = {_SHORT: "H", _LONG: "I", _DIRECTORY: "I"}.get(kind)
    if letter is None:
        return ()
    size = struct.calcsize(f"{order}{count}{letter}")
    if size > 4:  # noqa: PLR2004 - bytes of a value
        (offset,) = struct.unpack_from(f"{order}I", data, offset)
    return struct.unpack_from(f"{order}{count}{letter}", data, offset)
