"""Names that are found among millions: by sorted keys of eight bytes, and by their letters to be sure."""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Letters = NDArray[np.uint8]
# Eight letters in each number.
Words = NDArray[np.uint64]

#: The number of what is not there.
MISSING = -1
# Names whose letters are compared at once.
_AT_ONCE = 1 << 16
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
        self._words = _letters(names).view(np.uint64)
        keys = _keys(self._words)
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
        letters, width = _letters(names), 8 * self._words.shape[1]
        open_ = np.flatnonzero(~letters[:, width:].any(axis=1))
        requested = _widened(letters[:, :width], width).view(np.uint64)
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
            same = _equal_rows((self._words, candidates), (requested, open_))
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
        keys = _keys(_letters(pa.array(wanted, pa.string())).view(np.uint64))
        missing = np.searchsorted(self._keys, keys) == np.searchsorted(self._keys, keys, side="right")
        return {wanted[position] for position in np.flatnonzero(missing).tolist()}


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
        return {wanted[position] for position in np.flatnonzero(missing).tolist()}


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


def _equal_rows(first: tuple[Words, Rows], second: tuple[Words, Rows]) -> NDArray[np.bool_]:
    """Return whether rows of one array are rows of another one, a few at a time."""
    (words, rows), (others, places) = first, second
    same = np.empty(len(rows), np.bool_)
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        # Several times as fast as an index in brackets.
        same[part] = (words.take(rows[part], axis=0) == others.take(places[part], axis=0)).all(axis=1)
    return same


def _keys(words: Words) -> NDArray[np.uint64]:
    keys = np.zeros(len(words), np.uint64)
    for position in range(words.shape[1]):
        keys += words[:, position] * _FACTORS[position % len(_FACTORS)]
    return keys
