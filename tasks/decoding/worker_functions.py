"""What a decoding process can be asked: to examine files, for the network's squares of one, or for a clean copy."""

import io
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from mmap import mmap
from typing import Any

from PIL import Image

from tasks.domain.images.augmentation import render_view
from tasks.domain.images.image_info import Description
from tasks.domain.images.preprocessing import Limits, open_picture
from tasks.domain.images.rejections import DETAIL_LETTERS, Reason, Rejection, first_line

#: The memory that a clean copy has; a JPEG of its largest size has at most three bytes a pixel.
CLEAN_BYTES = 16 * 2**20
# Larger than any network or person needs to tell what a picture shows.
_CLEAN_SIDE, _CLEAN_QUALITY = 2048, 95
Described = Description | Rejection


def examine_files(examiner: str, limits: Sequence[int]) -> Callable[[list[bytes]], bytes]:
    """Build the function that examines files.

    Args:
        examiner: The function that examines one, as ``module:function``.
        limits: The three fields of ``Limits``, in their order.

    Returns:
        The function, whose answer is a list in JSON.
    """
    examine, image_limits = load_function(examiner), Limits(*limits)
    load_formats()
    return lambda files: json.dumps([answer(examine, data, image_limits) for data in files]).encode()


def render_squares(size: int, limits: Sequence[int], memory: mmap) -> Callable[[list[bytes]], bytes]:
    """Build the function that decodes a file once, and renders its views.

    Args:
        size: The side of a square in pixels.
        limits: The three fields of ``Limits``, in their order.
        memory: What gets the squares, one view after the other.

    Returns:
        The function, which is asked with the names of views in JSON and a file; its answer is null or a rejection.
    """
    image_limits = Limits(*limits)
    load_formats()

    def render(question: list[bytes]) -> bytes:
        views, data = question

        def write(data: bytes, limits: Limits) -> Rejection | None:
            picture = open_picture(data, limits)
            if isinstance(picture, Rejection):
                return picture
            memory.seek(0)
            for view in json.loads(views):
                memory.write(render_view(picture, size, view).tobytes())
            return None

        return json.dumps(answer(write, data, image_limits)).encode()

    return render


def clean_pictures(limits: Sequence[int], memory: mmap) -> Callable[[list[bytes]], bytes]:
    """Build the function that writes a picture anew, so that nothing of its file is left but what it shows.

    Args:
        limits: The three fields of ``Limits``, in their order.
        memory: What gets the length of the new file, and its bytes.

    Returns:
        The function, which is asked with a file; its answer is null or a rejection.
    """
    image_limits = Limits(*limits)
    load_formats()

    def write(data: bytes, limits: Limits) -> Rejection | None:
        picture = open_picture(data, limits)
        if isinstance(picture, Rejection):
            return picture
        picture.image.thumbnail((_CLEAN_SIDE, _CLEAN_SIDE), Image.Resampling.BICUBIC)
        # A new picture has none of what the file said beside its pixels.
        clean, sink = Image.frombytes("RGB", picture.image.size, picture.image.tobytes()), io.BytesIO()
        clean.save(sink, "JPEG", quality=_CLEAN_QUALITY, subsampling=0)
        memory.seek(0)
        memory.write(struct.pack("!Q", sink.tell()) + sink.getvalue())
        return None

    return lambda files: json.dumps(answer(write, files[0], image_limits)).encode()


def load_formats() -> None:
    """Load the reader of each format now; Pillow does so at the first such file, when no module can be read."""
    Image.init()


def load_function(name: str) -> Callable[..., Any]:
    """Import a function.

    Args:
        name: Its name, as ``module:function``.

    Returns:
        The function.
    """
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function


def answer(
    examine: Callable[[bytes, Limits], Described | None], data: bytes, limits: Limits
) -> dict[str, object] | None:
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
    if described is None:
        return None
    if isinstance(described, Rejection):
        # A library's words may hold halves of letters, which JSON cannot hold.
        detail = described.detail[:DETAIL_LETTERS].encode("utf-8", "backslashreplace").decode()
        return {"reason": described.reason, "detail": detail[:DETAIL_LETTERS]}
    return {**asdict(described), "phash": described.phash.hex(), "parts": described.parts.hex()}
