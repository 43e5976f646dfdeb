"""Rows that were looked up by name, and are read from the very version of the table in which they were found."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.stores.tables.lance_rows import ROWS_A_SCAN, ROWS_AT_ONCE, sound
from tasks.stores.tables.name_index import MISSING

if TYPE_CHECKING:
    import lance

# Reads that go ahead where much of a table is read.
_AHEAD = 4
# Reading row by row is faster for fewer than one row in this many.
_SPARSE = 4

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class FoundRows:
    """The first rows of names, some of which may be missing.

    Attributes:
        dataset: The version of the table; None where there is no table.
        rows: The row of each name, ``MISSING`` where it has none, of shape ``(n_names,)``.
        errors: Turns what Lance raises into one sentence.
    """

    dataset: "lance.LanceDataset | None"
    rows: Indices
    errors: Callable[[], AbstractContextManager[None]]

    def present(self) -> NDArray[np.bool_]:
        """Return which names have a row, of shape ``(n_names,)``."""
        return np.asarray(self.rows != MISSING)

    def are_within(self) -> bool:
        """Check that the table has so many rows, which one from which images were removed may not."""
        within = self.dataset is not None and len(self.rows) and self.rows.max() < self.dataset.count_rows()
        return bool(within and self.present().all())

    def take(self, columns: Sequence[str], positions: Sequence[int] | Indices | None = None) -> Iterator[pa.Table]:
        """Read rows a few at a time.

        Args:
            columns: The columns that are wanted.
            positions: The indices of the names that are wanted, which have rows; None for all.

        Yields:
            A few rows, in the order asked.
        """
        rows = self.rows if positions is None else self.rows[np.asarray(positions, np.int64)]
        for start in range(0, len(rows), ROWS_AT_ONCE):
            if self.dataset is None:
                return
            with self.errors():
                part = sound(self.dataset.take(rows[start : start + ROWS_AT_ONCE].tolist(), columns=list(columns)))
            yield part

    def ascending(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, Indices, Indices]]:
        """Read the rows that are there; much of a table is read from end to end, little of it row by row.

        Args:
            columns: The columns that are wanted.

        Yields:
            A few rows of the table, the indices of those among them that were asked for, and those of their names.
        """
        order = np.argsort(self.rows, kind="stable")
        order = order[np.searchsorted(self.rows[order], 0) :]
        if self.dataset is None or not len(order):
            return
        start = 0
        with self.errors():
            for batch, selection in _read_ascending(self.dataset, self.rows[order], columns):
                yield batch, selection, order[start : start + len(selection)]
                start += len(selection)


def _read_ascending(
    dataset: "lance.LanceDataset", rows: Indices, columns: Sequence[str]
) -> Iterator[tuple[pa.RecordBatch, Indices]]:
    if len(rows) * _SPARSE < dataset.count_rows():
        for part in (rows[start : start + ROWS_A_SCAN] for start in range(0, len(rows), ROWS_A_SCAN)):
            taken = sound(dataset.take(part.tolist(), columns=list(columns)))
            yield from ((batch, np.arange(batch.num_rows)) for batch in taken.to_batches())
        return
    scan = dataset.to_batches(
        columns=list(columns),
        batch_size=ROWS_A_SCAN,
        batch_readahead=_AHEAD,
        fragment_readahead=_AHEAD,
        scan_in_order=True,
    )
    passed = 0
    for batch in scan:
        first, last = np.searchsorted(rows, [passed, passed + batch.num_rows])
        yield sound(batch), rows[first:last] - passed
        passed += batch.num_rows
