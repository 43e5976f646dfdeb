"""File formats read byte by byte: how a JPEG is coded and whether it is complete, and which TIFFs are camera raw.

Sources: ITU-T T.81 (JPEG), annexes B and G; ITU-T T.87 (JPEG-LS); TIFF 6.0; the Adobe DNG specification.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

_JPEG = b"\xff\xd8"
_START_OF_SCAN, _END, _JPEG_LS = 0xDA, 0xD9, 0xF7
# Scans that are counted at most; encoders make a dozen.
_MOST_SCANS = 10_000
# Markers between 0xC0 and 0xCF that do not start a frame: Huffman tables, arithmetic coding tables, a reserved one.
_NO_FRAME = {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xD9)}
_PROGRESSIVE = {0xC2, 0xC6}
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_ARITHMETIC = {0xC9, 0xCA, 0xCD, 0xCE}
_HIERARCHICAL = {0xC5, 0xC6}
# Entropy-coded data end at the next marker, except for restart markers and for data bytes 0xFF, which a zero follows.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_COEFFICIENTS = 64
# Bytes that decode to noise in any code and contain no marker.
_NOISE = bytes((7 * offset * offset + 31 * offset + 3) % 251 for offset in range(512))
# Byte orders, tags, field types and values of TIFF.
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_SUBFILE, _WIDTH, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES, _DNG = 254, 256, 259, 262, 271, 330, 50706
_TAGS = (_SUBFILE, _WIDTH, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES, _DNG)
_SHORT, _LONG, _DIRECTORY = 3, 4, 13
_REDUCED = 1
# The photometric interpretations of raw sensor data: behind a color filter array, and linear.
_SENSOR = {32803, 34892}
# The private compression codes of Sony, Samsung, Nikon, Kodak and Pentax for sensor data.
_MAKERS_CODES = {32767, 32769, 32770, 34713, 65000, 65535}
_CANON = b"CR"
# How many values of a tag, and how many tags of a directory, are read at most.
_MOST_PICTURES, _MOST_TAGS = 16, 1000


@dataclass(frozen=True, slots=True)
class Frame:
    """How a JPEG is coded.

    Attributes:
        kind: The second byte of the frame's marker (SOF), such as 0xC2 for progressive.
        precision: Bits a channel.
        channels: The identifiers of the channels, brightness first.
        scan: The offset of the first scan's marker, in bytes.
        pixels: How many pixels the picture has.
    """

    kind: int
    precision: int
    channels: bytes
    scan: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan: a pass over the picture that refines some coefficients of some channels.

    Attributes:
        channels: The identifiers of its channels.
        first: The first coefficient, from 0 to 63.
        last: The last coefficient, from 0 to 63.
        low: The lowest bit that it sends of each; 0 when they are complete.
        data: The offset of its entropy-coded data, in bytes.
    """

    channels: bytes
    first: int
    last: int
    low: int
    data: int


def read_frame(data: bytes) -> Frame | None:
    """Read the markers of a JPEG up to its first scan; return None where they lead to none."""
    kind, precision, channels, pixels = 0, 0, b"", 0
    for marker, offset in _segments(data, 2):
        if marker == _START_OF_SCAN:
            return Frame(kind, precision, channels, offset, pixels) if channels else None
        if marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME):  # noqa: PLR2004 - as T.81 has it
            body = data[offset + 4 : offset + 2 + _length(data, offset)]
            if len(body) > 6:  # noqa: PLR2004 - bytes before the first channel
                kind, precision, channels = marker, body[0], body[6::3][: body[5]]
                pixels = int.from_bytes(body[1:3]) * int.from_bytes(body[3:5])
    return None


def exceeds_passes(data: bytes, most: int) -> bool:
    """Check whether a decoder of a JPEG would pass over too many pixels: over all of them in each scan.

    Args:
        data: The bytes of a file.
        most: The most pixels, each counted once a scan.

    Returns:
        Whether there are more; False where it is no JPEG, or its scans are cut off.
    """
    frame = read_frame(data) if data.startswith(_JPEG) else None
    if frame is None:
        return False
    with suppress(IndexError):
        scans = enumerate(_scans(data, frame), 1)
        return any(number > _MOST_SCANS or number * frame.pixels > most for number, _ in scans)
    return False


def unsupported_kind(frame: Frame) -> str:
    """Name an unsupported kind of JPEG; return "" for what every program reads, eight bits with Huffman coding."""
    if frame.kind == _JPEG_LS:
        return "JPEG-LS"
    if frame.kind in _LOSSLESS:
        return "lossless JPEG"
    if frame.precision != 8:  # noqa: PLR2004 - bits
        return f"JPEG of {frame.precision} bits a channel"
    if frame.kind in _ARITHMETIC:
        return "JPEG with arithmetic coding"
    return "hierarchical JPEG" if frame.kind in _HIERARCHICAL else ""


def lacks_scans(data: bytes, frame: Frame) -> bool:
    """Check whether scans are missing: a channel never comes, or coefficients are not sent down to their last bit.

    An encoder may leave out the highest frequencies of the color channels, so all 64 coefficients are required of
    brightness only.

    Args:
        data: The bytes of the file.
        frame: What ``read_frame`` read of them.

    Returns:
        Whether the file ends too early.
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


def append_noise(data: bytes, frame: Frame) -> bytes:
    """Append noise to the entropy-coded data: this changes the decoded picture only if the data were cut off.

    Args:
        data: The bytes of the file.
        frame: What ``read_frame`` read of them.

    Returns:
        The bytes of the longer file.
    """
    end = _data_end(data, list(_scans(data, frame))[-1].data)
    return data[:end] + _NOISE + data[end:]


def _segments(data: bytes, offset: int) -> Iterator[tuple[int, int]]:
    """Yield each marker with its offset, from an offset on, up to the end of the picture."""
    while 0 <= offset < len(data) - 3:
        marker = data[offset + 1]
        if data[offset] != 0xFF or marker == 0xFF:  # noqa: PLR2004 - every marker begins so, after any number of fill bytes
            offset = data.find(b"\xff", offset + 1)
        elif marker in _WITHOUT_LENGTH:
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
    """Read the header of a scan.

    Returns:
        The scan.

    Raises:
        IndexError: The header is cut off.
    """
    number = data[offset + 4]
    behind = offset + 5 + 2 * number
    first, last, bits = data[behind], min(data[behind + 1], _COEFFICIENTS - 1), data[behind + 2]
    return Scan(data[offset + 5 : behind : 2], first, last, bits & 15, offset + 2 + _length(data, offset))


def _data_end(data: bytes, start: int) -> int:
    marker = _NEXT_MARKER.search(data, start)
    return marker.start() if marker else len(data)


def _length(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset + 2 : offset + 4])


@dataclass(frozen=True, slots=True)
class _Directory:
    """An image file directory (IFD) of a TIFF.

    Attributes:
        tags: The whole numbers of each tag.
        next: The offset of the next directory, in bytes; 0 for none.
    """

    tags: Mapping[int, Sequence[int]]
    next: int

    def get(self, tag: int) -> int:
        return next(iter(self.tags.get(tag, ())), 0)


def is_camera_raw(data: bytes) -> bool:
    """Check whether a TIFF holds raw sensor data, or starts with the preview of another picture."""
    order = _ORDERS.get(data[:4])
    if order is None:
        return False
    try:
        first = _directory(data, order, struct.unpack_from(f"{order}I", data, 4)[0])
        return data[8:10] == _CANON or _is_sensor_data(first) or _leads_to_raw(data, order, first)
    except struct.error:
        # The file is cut off; the decoder reports this better.
        return False


def _leads_to_raw(data: bytes, order: str, first: _Directory) -> bool:
    other_directories = [_directory(data, order, offset) for offset in first.tags.get(_SUB_DIRECTORIES, ())]
    if first.get(_SUBFILE) & _REDUCED and first.next:
        other_directories.append(_directory(data, order, first.next))
    larger = any(other.get(_WIDTH) > first.get(_WIDTH) for other in other_directories)
    return any(map(_is_sensor_data, other_directories)) or bool(first.get(_SUBFILE) & _REDUCED and larger)


def _is_sensor_data(picture: _Directory) -> bool:
    by_maker = _MAKE in picture.tags and picture.get(_COMPRESSION) in _MAKERS_CODES
    return _DNG in picture.tags or picture.get(_PHOTOMETRIC) in _SENSOR or by_maker


def _directory(data: bytes, order: str, offset: int) -> _Directory:
    """Read a directory; a struct.error comes through where it is cut off."""
    (number,) = struct.unpack_from(f"{order}H", data, offset)
    tags = {}
    for at in range(offset + 2, offset + 2 + 12 * min(number, _MOST_TAGS), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
        if tag in _TAGS:
            tags[tag] = _numbers(data, order, at + 8, (kind, min(count, _MOST_PICTURES)))
    behind = offset + 2 + 12 * number
    return _Directory(tags, struct.unpack_from(f"{order}I", data, behind)[0] if behind + 4 <= len(data) else 0)


def _numbers(data: bytes, order: str, offset: int, shape: tuple[int, int]) -> Sequence[int]:
    """Read a tag's whole numbers: in the directory itself if they fit into four bytes, else at the offset named there.

    Returns:
        The numbers; empty for a type that holds no whole numbers.
    """
    kind, count = shape
    letter = {_SHORT: "H", _LONG: "I", _DIRECTORY: "I"}.get(kind)
    if letter is None:
        return ()
    size = struct.calcsize(f"{order}{count}{letter}")
    if size > 4:  # noqa: PLR2004 - bytes of a value
        (offset,) = struct.unpack_from(f"{order}I", data, offset)
    return struct.unpack_from(f"{order}{count}{letter}", data, offset)
