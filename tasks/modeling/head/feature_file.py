"""Feature file: features that do not fit into memory, in a file on this machine that is read block by block."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.modeling.head.head import Numbers

_GIGABYTE = 10**9


@dataclass(frozen=True)
class FeatureFile:
    """Features of images in the order of training, whatever order the store has them in.

    Attributes:
        descriptor: The open file, which has no name, so that nothing is left of it when the process ends.
        rows: The number of images and views.
        width: Numbers in each vector.
        precision: How they are written: float32 or float16.
    """

    descriptor: int
    rows: int
    width: int
    precision: str

    def write(self, positions: NDArray[np.int64], vectors: NDArray[np.floating[Any]]) -> None:
        """Write vectors at their positions.

        Args:
            positions: The position of each vector, of shape ``(n_vectors,)``.
            vectors: The vectors, of shape ``(n_vectors, width)``.
        """
        if not len(positions):
            return
        order = np.argsort(positions)
        # Neighbours in training are rarely neighbours in the store; where they are, one write takes them all.
        for run in np.split(order, np.flatnonzero(np.diff(positions[order]) != 1) + 1):
            data = np.ascontiguousarray(vectors[run], self.precision)
            os.pwrite(self.descriptor, data.tobytes(), int(positions[run[0]]) * self._row_bytes)

    def read(self, start: int, end: int) -> Numbers:
        """Read a block of vectors.

        Args:
            start: The position of the first vector.
            end: The position after the last one.

        Returns:
            The vectors, float32 of shape ``(end - start, width)``.

        Raises:
            PedigreeError: The file has been cut short.
        """
        data = os.pread(self.descriptor, (end - start) * self._row_bytes, start * self._row_bytes)
        if len(data) != (end - start) * self._row_bytes:
            raise PedigreeError("The file of features on this machine's disk was cut short: start the run again.")
        return np.frombuffer(data, self.precision).reshape(-1, self.width).astype(np.float32, copy=False)

    @property
    def _row_bytes(self) -> int:
        return self.width * np.dtype(self.precision).itemsize


@contextmanager
def open_feature_file(folder: Path, rows: int, width: int, precision: str) -> Iterator[FeatureFile]:
    """Open a file that has room for so many features, and that is gone afterwards.

    Args:
        folder: A folder on this machine's disk.
        rows: The number of images and views.
        width: Numbers in each vector.
        precision: How they are written: float32 or float16.

    Yields:
        The file.

    Raises:
        PedigreeError: The disk has no room for it.
    """
    size = rows * width * np.dtype(precision).itemsize
    with TemporaryFile(dir=folder) as file:
        try:
            _reserve(file.fileno(), max(size, 1))
        except OSError as error:
            raise PedigreeError(
                f"Features of {rows:,} vectors do not fit into memory and need {size / _GIGABYTE:.1f} GB on the disk "
                f"of {folder}, which has no room for them: free some, name another folder by PEDIGREE_HOME, or set "
                "training.most."
            ) from error
        yield FeatureFile(file.fileno(), rows, width, precision)


def _reserve(descriptor: int, size: int) -> None:
    """Reserve room on the disk, where the system can, so that a full disk shows now and not in an hour."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)
