"""Columns of texts and of what many rows share: their order, their JSON, and numbers in place of repeated values.

A million rows take seconds and half a gigabyte as objects, and a tenth of both in columns.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.domain.hashing import canonical_json

#: A number for each row, int32 of shape (n_rows,), which points at a value that many rows share.
Codes = NDArray[np.int32]
_HASH_DIGITS = 64
# What JSON writes otherwise than as it is.
_ESCAPED = r'[\x00-\x1f"\\]'
# Rows whose lines are in memory at once while they are hashed.
_AT_ONCE = 100_000


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece.

    Args:
        column: The column.

    Returns:
        The same values.
    """
    if isinstance(column, pa.ChunkedArray):
        return (
            column.chunk(0)
            if column.num_chunks == 1
            else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
        )
    return column


def sort_order(names: pa.Array) -> NDArray[np.int64]:
    """Return the stable order of texts, as Python sorts them.

    Args:
        names: The texts.

    Returns:
        Row numbers, int64 of shape (n_rows,).
    """
    length = pc.binary_length(names)
    if len(names) and not names.null_count and pc.all(pc.equal(length, _HASH_DIGITS)).as_py():
        # Sixteen digits tell hashes apart twice as fast as all of them, but for a chance of one in millions.
        first = np.frombuffer(names.buffers()[2], np.uint8, len(names) * _HASH_DIGITS, _first_byte(names))
        halves = first.reshape(-1, _HASH_DIGITS)[:, :16].copy().view(">u8").astype(np.uint64)
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        ordered = names.take(pa.array(order))
        if pc.all(pc.less_equal(ordered[:-1], ordered[1:])).as_py() is not False:
            return order
    return np.asarray(pc.sort_indices(names).to_numpy(), np.int64)


def _first_byte(names: pa.Array) -> int:
    return int(np.frombuffer(names.buffers()[1], np.int32, 1, 4 * names.offset)[0])


def starts_of_groups(names: pa.Array) -> NDArray[np.int64]:
    """Return where each run of equal texts starts.

    Args:
        names: The texts; equal ones stand side by side.

    Returns:
        Row numbers, int64 of shape (n_groups,).
    """
    if len(names) < 2:  # noqa: PLR2004 - no text has a neighbour
        return np.arange(len(names))
    differs = np.asarray(pc.not_equal(names[1:], names[:-1]))
    return np.flatnonzero(np.concatenate([[True], differs]))


def folders_of(keys: pa.Array) -> pa.Array:
    """Return the folder of each key.

    Args:
        keys: The keys.

    Returns:
        The folders without the slash at the end; empty for a key without one.
    """
    parts = pc.split_pattern(keys, "/", max_splits=1, reverse=True)
    return pc.if_else(pc.greater(pc.list_value_length(parts), 1), pc.list_element(parts, 0), "")


def json_texts(texts: pa.Array) -> pa.Array:
    """Return each text as canonical JSON.

    Args:
        texts: The texts.

    Returns:
        The JSON, with its quotes.
    """
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    special = pc.match_substring_regex(texts, _ESCAPED)
    if not pc.any(special).as_py():
        return quoted
    escaped = [canonical_json(text).decode() for text in texts.filter(special).to_pylist()]
    return pc.replace_with_mask(quoted, special, pa.array(escaped, pa.string()))


def update_with_lines(digest: "hashlib._Hash", parts: Sequence[pa.Array | str], between: bytes) -> None:
    """Feed one line a row into a hash, some rows at a time.

    Args:
        digest: The hash.
        parts: The parts of a line in their order: columns, or texts that all lines share.
        between: What stands between two lines.
    """
    rows = next(len(part) for part in parts if not isinstance(part, str))
    for start in range(0, rows, _AT_ONCE):
        sliced = [part if isinstance(part, str) else part.slice(start, _AT_ONCE) for part in parts]
        lines = pc.binary_join_element_wise(*sliced, "").to_pylist()
        digest.update((between if start else b"") + between.join(line.encode() for line in lines))


def encode_rows(rows: pa.Table, names: Sequence[str]) -> tuple[Codes, list[tuple[Any, ...]]]:
    """Return a number for each distinct combination of values in some columns of texts, or of pairs of texts.

    Args:
        rows: The rows.
        names: The columns.

    Returns:
        The number of each row's combination, and the combinations, with pairs as tuples.
    """
    codes = combine_codes([_encode_column(whole(rows[name])) for name in names])
    first = first_rows(codes)
    values = (rows[name].take(pa.array(first)).to_pylist() for name in names)
    return codes, [tuple(map(_as_tuple, combination)) for combination in zip(*values, strict=True)]


def combine_codes(columns: Sequence[Codes]) -> Codes:
    """Return a number for each distinct combination of numbers in several columns, by their order."""
    combined = columns[0].astype(np.int64)
    for codes in columns[1:]:
        combined = combined * (int(codes.max(initial=0)) + 1) + codes
        combined = np.unique(combined, return_inverse=True)[1].ravel()
    return np.unique(combined, return_inverse=True)[1].ravel().astype(np.int32)


def first_rows(codes: Codes) -> NDArray[np.int64]:
    """Return the first row of each number from zero to the largest.

    Args:
        codes: The number of each row.

    Returns:
        Row numbers, int64 of shape (n_numbers,).
    """
    first = np.zeros(int(codes.max(initial=-1)) + 1, np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def spread(values: Iterable[Any], codes: Codes, kind: pa.DataType) -> pa.Array:
    """Return a column that has, in each row, the value that the row's number points at.

    Args:
        values: The values, by number.
        codes: The number of each row.
        kind: The type of the column.

    Returns:
        The column.
    """
    return pa.array(list(values), kind).take(pa.array(codes))


def _encode_column(column: pa.Array) -> Codes:
    texts = _texts_of_pairs(column) if pa.types.is_map(column.type) else column
    return np.asarray(texts.dictionary_encode().indices.to_numpy(zero_copy_only=False), np.int32)


def _texts_of_pairs(column: pa.Array) -> pa.Array:
    """Return for each list of pairs a text that no other list has: each part stands behind its length."""
    parts = [text for part in (column.keys, column.items) for text in (pc.binary_length(part).cast(pa.string()), part)]
    pairs = pa.ListArray.from_arrays(column.offsets, pc.binary_join_element_wise(*parts, ":"))
    return pc.binary_join(pairs, ";")


def _as_tuple(value: Any) -> Any:  # noqa: ANN401 - a text, or a list of pairs
    return tuple(value) if isinstance(value, list) else value


def texts_at_once(texts: pa.Array) -> Iterator[str]:
    """Yield texts, converted some at a time.

    Args:
        texts: The texts.

    Yields:
        Each text.
    """
    for start in range(0, len(texts), _AT_ONCE):
        yield from texts.slice(start, _AT_ONCE).to_pylist()
