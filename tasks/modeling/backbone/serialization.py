"""Serialization of a network's weights: one file that NumPy alone can read, and one hash."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError

Weights = Sequence[NDArray[np.float32]]
#: What NumPy raises where a file is cut short, has flipped bits, or is something else.
DAMAGE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
# How every .npz file begins; NumPy would take other files for other formats of its own.
_MARK = b"PK"


def is_weights_file(data: bytes) -> bool:
    """Return whether a file is one that ``to_bytes`` wrote, and not one of Keras's."""
    return data.startswith(_MARK)


def to_bytes(weights: Weights, dtype: type[np.floating] = np.float32) -> bytes:
    """Write arrays into one .npz file; the same arrays give the same bytes.

    Args:
        weights: The arrays.
        dtype: The type in which they are stored.

    Returns:
        The file.
    """
    sink = io.BytesIO()
    np.savez(sink, *(array.astype(dtype) for array in weights))
    return sink.getvalue()


def from_bytes(data: bytes, origin: str) -> list[NDArray[np.float32]]:
    """Read the arrays of a weights file.

    Args:
        data: The file.
        origin: Its name for the error sentence.

    Returns:
        The arrays as float32, in their order.

    Raises:
        PedigreeError: The file is damaged or cut short.
    """
    message = f"The weights file {origin} is damaged or cut short: fetch it again."
    if not is_weights_file(data):
        raise PedigreeError(message)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return [file[f"arr_{number}"].astype(np.float32) for number in range(len(file.files))]
    except DAMAGE as error:
        raise PedigreeError(message) from error


def hash_weights(weights: Weights) -> str:
    """Return the SHA-256 over position, dtype, shape and bytes of arrays: 64 hex digits that no file format changes."""
    digest = hashlib.sha256()
    for number, array in enumerate(weights):
        digest.update(f"{number} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
