"""The program of a decoding process: it gives up nearly all rights, then examines files as they come.

Files arrive as bytes behind their lengths and answers leave as JSON, so that neither side can make the other run code.
"""

import json
import os
import resource
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import BinaryIO

from PIL import Image

from tasks.domain.images.image_info import Description
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import DETAIL_LETTERS, Reason, Rejection, first_line
from tasks.ingestion.sandbox import limit, lock_down

Described = Description | Rejection

_NUMBER = struct.Struct("!Q")
# 31 bytes a pixel were measured for HEIC and AVIF, where five copies are held at once: decoded planes, the library's
# copy, Pillow's, the upright one and the one in sRGB. Other formats need 14 to 19.
_BYTES_A_PIXEL = 40
# Bytes for Python, Pillow, NumPy and SciPy.
_FLOOR = 2**29


def main(handle: int, examiner: str, limits: Sequence[int], processor_seconds: int) -> None:
    """Examine files until whoever holds the connection's other end closes it.

    Args:
        handle: The number of this process's end of the connection.
        examiner: The function that examines a file, as ``module:function``.
        limits: The three fields of ``Limits``, in their order.
        processor_seconds: The CPU time that the process may use in its life.
    """
    examine, image_limits = _load_examiner(examiner), Limits(*limits)
    with open(handle, "rb") as questions, open(handle, "wb", closefd=False) as answers:
        load_formats()
        _silence()
        limit(resource.RLIMIT_DATA, _FLOOR + 3 * image_limits.max_bytes + _BYTES_A_PIXEL * image_limits.max_pixels)
        limit(resource.RLIMIT_CPU, processor_seconds)
        _send(answers, lock_down())
        while count := _read_number(questions):
            files = [_read_exactly(questions, size) for size in [_read_number(questions) for _ in range(count)]]
            _send(answers, [answer(examine, data, image_limits) for data in files])


def load_formats() -> None:
    """Load the reader of each format now; Pillow does so at the first such file, when no module can be read."""
    Image.init()


def _load_examiner(name: str) -> Callable[[bytes, Limits], Described]:
    module, _, attribute = name.partition(":")
    function: Callable[[bytes, Limits], Described] = getattr(import_module(module), attribute)
    return function


def _silence() -> None:
    """Discard standard error, where from here on only libraries would complain about bad files."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)


def _read_number(questions: BinaryIO) -> int:
    """Read a number; return 0 where the other side has closed the connection."""
    data = questions.read(_NUMBER.size)
    return int(_NUMBER.unpack(data)[0]) if data else 0


def _read_exactly(questions: BinaryIO, size: int) -> bytes:
    data = questions.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _send(answers: BinaryIO, value: object) -> None:
    message = json.dumps(value).encode()
    answers.write(_NUMBER.pack(len(message)) + message)
    answers.flush()


def answer(examine: Callable[[bytes, Limits], Described], data: bytes, limits: Limits) -> dict[str, object]:
    """Examine one file, and survive whatever it causes.

    Args:
        examine: Examines a file.
        data: The content of the file.
        limits: The largest and smallest pictures that are decoded.

    Returns:
        What was measured, or why the file is rejected, as JSON can hold it.
    """
    try:
        described = examine(data, limits)
    except MemoryError:
        described = Rejection(Reason.TOO_MUCH_MEMORY, "it needs more memory than a picture of the allowed size")
    except Exception as error:  # noqa: BLE001 - whatever a hostile file causes, it harms only itself
        described = Rejection(Reason.DECODER_DIED, f"the decoder failed ({first_line(error)})")
    if isinstance(described, Rejection):
        # A library's words may hold halves of letters, which JSON cannot hold.
        detail = described.detail[:DETAIL_LETTERS].encode("utf-8", "backslashreplace").decode()
        return {"reason": described.reason, "detail": detail[:DETAIL_LETTERS]}
    return {**asdict(described), "phash": described.phash.hex(), "parts": described.parts.hex()}
