"""Row numbers by name: a table's names are read once, and from then on only what others have appended."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.stores.tables.lance_rows import sound

if TYPE_CHECKING:
    import lance

Rows = NDArray[np.int64]
Letters = NDArray[np.uint8]

#: The number of what is not there.
MISSING = -1
# The last known rows are compared before the rest is believed: removing an image moves all that follow.
_COMPARED = 16
# Fewer names than one in this many are looked up in the index, and more by hashing.
_SPARSE = 8
# Odd numbers by which the words of a name are multiplied, and then added up to its key.
_FACTORS = np.random.default_rng(16).integers(0, 2**63, 512, np.uint64) * np.uint64(2) + np.uint64(1)


class NameIndex:
    """Finds names among many: sorted keys of 8 bytes, and the names themselves to be sure."""

    def __init__(self, names: pa.Array, rows: Rows) -> None:
        """Sort the keys.

        Args:
            names: The names.
            rows: Their row numbers, ascending, of shape ``(n_names,)``; of several the first one counts.
        """
        self._letters = _letters(names)
        keys = _keys(self._letters)
        self._order = np.argsort(keys, kind="stable")
        self._sorted, self._rows = keys[self._order], rows

    @property
    def keys(self) -> NDArray[np.uint64]:
        """The keys of the names, sorted."""
        return self._sorted

    def find(self, names: pa.Array) -> Rows:
        """Return the first row of each name.

        Args:
            names: The names.

        Returns:
            The numbers, int64 of shape ``(n_names,)``, and ``MISSING`` where there is none.
        """
        found = np.full(len(names), MISSING, np.int64)
        if not len(self._rows) or not len(names):
            return found
        requested, width = _letters(names), self._letters.shape[1]
        open_ = np.flatnonzero(~requested[:, width:].any(axis=1))
        requested = _widened(requested[:, :width], width)
        keys = _keys(requested)
        # Ascending keys find their places several times faster than keys in any order.
        open_ = open_[np.argsort(keys[open_])]
        places = np.searchsorted(self._sorted, keys[open_])
        while len(open_):
            inside = places < len(self._sorted)
            open_, places = open_[inside], places[inside]
            same_key = self._sorted[places] == keys[open_]
            open_, places = open_[same_key], places[same_key]
            candidates = self._order[places]
            same = (self._letters[candidates] == requested[open_]).all(axis=1)
            found[open_[same]] = self._rows[candidates[same]]
            open_, places = open_[~same], places[~same] + 1
        return found


class KnownKeys:
    """The names that a table had at one moment, in eight bytes each: of two different ones hardly any share a key."""

    def __init__(self, keys: Sequence[NDArray[np.uint64]]) -> None:
        """Take the keys of the names."""
        self._keys = np.sort(np.concatenate([np.zeros(0, np.uint64), *keys]))

    def lacking(self, names: Collection[str]) -> set[str]:
        """Return those of these names that the table did not have."""
        wanted = list(names)
        keys = _keys(_letters(pa.array(wanted, pa.string())))
        missing = np.searchsorted(self._keys, keys) == np.searchsorted(self._keys, keys, side="right")
        return {wanted[place] for place in np.flatnonzero(missing).tolist()}


class KnownNames:
    """The names that a table had at one moment; it is not asked again what others have appended since."""

    def __init__(self, indexes: Sequence[NameIndex]) -> None:
        """Take indexes that hold the names."""
        self._indexes = indexes

    def keys(self) -> KnownKeys:
        """Return the names without their letters, for who keeps them long."""
        return KnownKeys([index.keys for index in self._indexes])

    def lacking(self, names: Collection[str]) -> set[str]:
        """Return those of these names that the table did not have."""
        wanted = list(names)
        missing = np.ones(len(wanted), bool)
        for index in self._indexes:
            missing &= index.find(pa.array(wanted, pa.string())) == MISSING
        return {wanted[place] for place in np.flatnonzero(missing).tolist()}


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
        self._open, self._columns, self._errors, self._lock = open_table, list(columns), errors, Lock()
        self._dataset: lance.LanceDataset | None = None
        self._parts: list[pa.Table] = []
        self._sorted: dict[tuple[int, str], NameIndex] = {}
        self._tail: list[dict[str, str]] = []
        self._count = 0

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

    def contains(self, names: Sequence[str], view: str = "") -> NDArray[np.bool_]:
        """Check which names the table has now.

        Args:
            names: The names.
            view: The view; empty in a table without views.

        Returns:
            A mask of shape ``(n_names,)``.
        """
        wanted = pa.array(names, pa.string())
        with self._lock, self._errors():
            self._refresh()
            if len(names) * _SPARSE < self._count:
                return np.asarray(self._find(wanted, view) != MISSING)
            # To hash all names once is cheaper than to sort them, where no row numbers are needed.
            present = np.zeros(len(names), bool)
            for part in self._parts:
                present |= pc.is_in(wanted, value_set=_of_view(part, view)[0]).to_numpy(zero_copy_only=False)
            return present

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
        part = part.filter(pc.equal(part.column(1), view))
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


def _letters(names: pa.Array) -> Letters:
    """Return names as bytes of shape ``(n_names, width)``, padded with zeros to a multiple of eight."""
    names = names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names
    count = len(names)
    if not count:
        return np.zeros((0, 8), np.uint8)
    offsets = np.frombuffer(names.buffers()[1], np.int32)[names.offset : names.offset + count + 1]
    widths = np.diff(offsets)
    if (widths == widths[0]).all() and widths[0]:
        letters = np.frombuffer(names.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(count, -1)
        return _widened(letters, letters.shape[1])
    texts = np.array([name.encode() for name in names.to_pylist()])
    return _widened(texts.view(np.uint8).reshape(count, -1), max(texts.itemsize, 1))


def _widened(letters: Letters, width: int) -> Letters:
    """Return the bytes padded with zeros to this width, and that to a multiple of eight."""
    lacking = -(-width // 8) * 8 - letters.shape[1]
    return np.pad(letters, ((0, 0), (0, lacking))) if lacking else np.ascontiguousarray(letters)


def _keys(letters: Letters) -> NDArray[np.uint64]:
    words = letters.view(np.uint64)
    keys = np.zeros(len(words), np.uint64)
    for position in range(words.shape[1]):
        keys += words[:, position] * _FACTORS[position % len(_FACTORS)]
    return keys
