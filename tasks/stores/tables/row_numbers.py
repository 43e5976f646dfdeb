"""Row numbers by name: a table's names are read once, and from then on only what others have appended."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.stores.tables.lance_rows import files_of, sound
from tasks.stores.tables.name_index import MISSING, KnownNames, NameIndex, Rows

if TYPE_CHECKING:
    import lance

#: The columns that name a row.
NAMED_BY = ("image", "view")
# The last known rows are compared before the rest is believed: removing an image moves all that follow.
_COMPARED = 16


class RowNumbers:
    """The row numbers of a table's names, of those in one view where the table has views."""

    def __init__(
        self,
        open_table: "Callable[[], lance.LanceDataset | None]",
        columns: Sequence[str],
        errors: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Remember how the table is opened; nothing is read yet.

        Args:
            open_table: Opens its newest version, or returns None where there is no table.
            columns: The column of names and, where there is one, the column of views.
            errors: Turns what Lance raises into one sentence.
        """
        self._columns, self._lock = list(columns), Lock()
        self._open, self._errors = open_table, errors
        self._dataset: lance.LanceDataset | None = None
        self._parts: list[pa.Table] = []
        self._sorted: dict[tuple[int, str], NameIndex] = {}
        self._tail: list[dict[str, str]] = []
        self._count = 0

    @property
    def nbytes(self) -> int:
        """The bytes that names and keys take."""
        indexes = list(self._sorted.values())
        return int(sum(part.nbytes for part in self._parts) + sum(3 * index.keys.nbytes for index in indexes))

    def follow(
        self, open_table: "Callable[[], lance.LanceDataset | None]", errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Open the table in another way from now on, and forget its names where another table lies there by now.

        Args:
            open_table: Opens its newest version, or returns None where there is no table.
            errors: Turns what Lance raises into one sentence.
        """
        with self._lock:
            self._open, self._errors = open_table, errors
            if self._dataset is not None:
                now = self._open()
                # Files have names by chance, which no other table's have.
                if now is None or not files_of(now) & files_of(self._dataset):
                    self._forget()

    def find(self, names: Sequence[str], views: Sequence[str] = ("",)) -> "tuple[lance.LanceDataset | None, Rows]":
        """Return the table as it is now, and the first row of each name in each view.

        Args:
            names: The names.
            views: The views; one empty text for a table without views.

        Returns:
            The table, and the numbers, int64 of shape ``(n_views * n_names,)``, one view after the other: ``MISSING``
            where there is no such row.
        """
        wanted = pa.array(names, pa.string())
        with self._lock:
            self._refresh()
            found = [self._find(wanted, view) for view in views]
            return self._dataset, np.concatenate(found) if found else np.zeros(0, np.int64)

    def contains(self, names: pa.Array, view: str = "") -> NDArray[np.bool_]:
        """Check which names the table has now.

        Args:
            names: The names.
            view: The view; empty in a table without views.

        Returns:
            A mask of shape ``(n_names,)``.
        """
        with self._lock, self._errors():
            self._refresh()
            return np.asarray(self._find(names, view) != MISSING)

    def _find(self, wanted: pa.Array, view: str) -> Rows:
        found = np.full(len(wanted), MISSING, np.int64)
        for index in self._indexes(view):
            open_ = np.flatnonzero(found == MISSING)
            found[open_] = index.find(wanted.take(pa.array(open_)) if len(open_) < len(wanted) else wanted)
        return found

    def known(self, view: str = "") -> KnownNames:
        """Return the names that the table has now, in one view where it has views."""
        with self._lock, self._errors():
            self._refresh()
            return KnownNames(self._indexes(view))

    def names(self, view: str = "") -> set[str]:
        """Return all names, in one view where the table has views."""
        with self._lock:
            self._refresh()
            return {name for part in self._parts for name in _of_view(part, view)[0].to_pylist()}

    def _refresh(self) -> None:
        """Read the rows that were appended since; all of them where an image was removed meanwhile."""
        if self._dataset is not None and self._dataset.latest_version == self._dataset.version:
            return
        dataset = self._open()
        if dataset is None:
            self._forget()
            return
        if not self._goes_on(dataset):
            self._forget()
        self._append(_rows_from(dataset, self._columns, self._count))
        self._dataset = dataset

    def _goes_on(self, dataset: "lance.LanceDataset") -> bool:
        """Check that the last known rows are where they were."""
        if not self._tail:
            return True
        if dataset.count_rows() < self._count:
            return False
        last = range(self._count - len(self._tail), self._count)
        return bool(dataset.take(list(last), columns=self._columns).to_pylist() == self._tail)

    def _append(self, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        rows = rows.append_column("row", pa.array(np.arange(self._count, self._count + rows.num_rows)))
        self._count += rows.num_rows
        last = rows.select(self._columns).slice(max(0, rows.num_rows - _COMPARED)).to_pylist()
        self._tail = [*self._tail, *last][-_COMPARED:]
        # Parts of like sizes become one, so that there are few, and each name is sorted few times.
        while self._parts and self._parts[-1].num_rows < 2 * rows.num_rows:
            rows = pa.concat_tables([self._parts.pop(), rows])
        self._parts.append(rows.combine_chunks())
        for part, view in [key for key in self._sorted if key[0] >= len(self._parts) - 1]:
            del self._sorted[part, view]

    def _indexes(self, view: str) -> list[NameIndex]:
        for number, part in enumerate(self._parts):
            if (number, view) not in self._sorted:
                self._sorted[number, view] = NameIndex(*_of_view(part, view))
        return [self._sorted[number, view] for number in range(len(self._parts))]

    def _forget(self) -> None:
        self._dataset, self._parts, self._sorted, self._tail, self._count = None, [], {}, [], 0


def _of_view(part: pa.Table, view: str) -> tuple[pa.Array, Rows]:
    """Return the names in a view, with their row numbers."""
    if len(part.column_names) > 2:  # noqa: PLR2004 - names, views and row numbers
        of_view = pc.equal(part.column(1), view)
        # Most tables hold each image as it is, and nothing else.
        part = part if pc.all(of_view).as_py() else part.filter(of_view)
    return part.column(0).combine_chunks(), part["row"].to_numpy()


def _rows_from(dataset: "lance.LanceDataset", columns: Sequence[str], first: int) -> pa.Table:
    """Read columns of all rows from this number on, which the last fragments hold."""
    if not first:
        return sound(dataset.to_table(columns=list(columns), scan_in_order=True))
    fragments, start = [], 0
    for fragment in dataset.get_fragments():
        rows = fragment.count_rows()
        if start + rows > first:
            fragments.append((start, fragment))
        start += rows
    if not fragments:
        return pa.schema([dataset.schema.field(name) for name in columns]).empty_table()
    scan = dataset.scanner(columns=list(columns), fragments=[part for _, part in fragments], scan_in_order=True)
    return sound(scan.to_table().slice(first - fragments[0][0]))
