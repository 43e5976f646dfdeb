"""A network's weights as one file that NumPy alone can read, and as one hash."""

import hashlib
import io
import zipfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from configs.problems import Problem

Weights = Sequence[NDArray[np.float32]]


def to_bytes(weights: Weights, dtype: type[np.floating] = np.float32) -> bytes:
    """Write arrays in their order into one .npz file."""
    sink = io.BytesIO()
    np.savez_compressed(sink, **{f"{number:04}": array.astype(dtype) for number, array in enumerate(weights)})
    return sink.getvalue()


def from_bytes(data: bytes, origin: str) -> list[NDArray[np.float32]]:
    """Read the arrays back as float32; raise Problem, naming the origin, when the file is damaged."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return [file[name].astype(np.float32) for name in sorted(file.files)]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        message = f"The weights file {origin} is damaged or cut short: fetch it again."
        raise Problem(message) from error


def weights_hash(weights: Weights) -> str:
    """Name weights by SHA-256 over (position, dtype, shape, bytes): the same in any file format, 64 hex digits."""
    digest = hashlib.sha256()
    for number, array in enumerate(weights):
        digest.update(f"{number} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
