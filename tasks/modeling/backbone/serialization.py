"""A network's weights as one file that NumPy alone can read, and as one hash."""

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
    """Tell a file that ``to_bytes`` wrote from one of Keras's."""
    return data.startswith(_MARK)


def to_bytes(weights: Weights, dtype: type[np.floating] = np.float32) -> bytes:
    """Write arrays in their order into one .npz file; the same arrays give the same bytes."""
    sink = io.BytesIO()
    np.savez(sink, *(array.astype(dtype) for array in weights))
    return sink.getvalue()


def from_bytes(data: bytes, origin: str) -> list[NDArray[np.float32]]:
    """Read the arrays back as float32; raise PedigreeError, naming the origin, when the file is damaged."""
    try:
        if not is_weights_file(data):
            raise ValueError(origin)
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return [file[f"arr_{number}"].astype(np.float32) for number in range(len(file.files))]
    except DAMAGE as error:
        raise PedigreeError(f"The weights file {origin} is damaged or cut short: fetch it again.") from error


def hash_weights(weights: Weights) -> str:
    """Name weights by SHA-256 over (position, dtype, shape, bytes): the same in any file format, 64 hex digits."""
    digest = hashlib.sha256()
    for number, array in enumerate(weights):
        digest.update(f"{number} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
