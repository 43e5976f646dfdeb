"""Tables in plain Parquet files: each is whole, or holds what differs from a whole one, its base."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

# A smaller table is not worth a second file, and is written whole.
_SMALLEST_BASE = 10_000
# A table that differs from its base in more than one row of so many becomes a base of its own.
_MOST_CHANGED = 10
# The fields that a file of changes has before those of its table, and the names that tell about its base.
_CHANGE = [("change", pa.string()), ("row", pa.int64())]
_ADDED, _REMOVED = "added", "removed"
_BASE, _BASE_SHA256 = b"base", b"base_sha256"


@dataclass(frozen=True, slots=True)
class TableKeys:
    """The paths in the store under which a table may stand.

    Attributes:
        whole: The path of the file with all rows.
        changes: The path of the file that holds what differs from a base.
    """

    whole: str
    changes: str


def write_table(checksums: Checksums, keys: TableKeys, table: pa.Table, former: TableKeys | None = None) -> None:
    """Write a table, unless it is there: most runs find what a former one wrote.

    The base of changes is in the store before they are, and a base never has a base, so every table is complete in the
    moment in which it is written.

    Args:
        checksums: The way into the store.
        keys: Where the table will stand.
        table: Its rows.
        former: Where a table stands from which it may differ little; None writes it whole.
    """
    if _stands(checksums.objects, keys.whole) or _stands(checksums.objects, keys.changes):
        return
    changes = _encode_changes(checksums.objects, table, former) if former else None
    if changes is None:
        checksums.create(keys.whole, encode_table(table))
    else:
        checksums.create(keys.changes, changes)


def read_table(objects: Bucket, keys: TableKeys, schema: pa.Schema) -> pa.Table:
    """Return a table, which is rebuilt where its file holds changes.

    Args:
        objects: The store's files.
        keys: Where the table stands.
        schema: Names and types of the columns.

    Returns:
        The rows, with columns as the schema says.

    Raises:
        PedigreeError: A file of the table is missing or damaged.
    """
    try:
        data = objects.read(keys.whole)
    except ObjectChangedError:
        pass
    else:
        with file_errors(objects, keys.whole):
            return _check(decode_table(data), schema)
    with file_errors(objects, keys.whole if not _stands(objects, keys.changes) else keys.changes):
        changes = decode_table(objects.read(keys.changes))
        base = _check(_read_base(objects, changes.schema.metadata), schema)
        return _check(apply_changes(base, changes), schema)


def base_of(objects: Bucket, keys: TableKeys) -> str:
    """Return the path of the whole table that a table needs: its own file or its base.

    Args:
        objects: The store's files.
        keys: Where the table stands.

    Returns:
        The path in the store.

    Raises:
        PedigreeError: The table's file is missing or damaged.
    """
    if _stands(objects, keys.whole):
        return keys.whole
    with file_errors(objects, keys.changes):
        return _metadata(decode_table(objects.read(keys.changes)).schema.metadata, _BASE)


def encode_table(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def decode_table(data: bytes) -> pa.Table:
    """Return the table in the bytes of a Parquet file; Arrow's errors are raised where it is damaged."""
    # read_table() starts threads even with use_threads=False; one that still holds bytes of Python's when a short
    # command ends aborts it.
    with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True, pre_buffer=False) as file:
        return file.read(use_threads=False)


def apply_changes(base: pa.Table, changes: pa.Table) -> pa.Table:
    """Rebuild a table from its base.

    Args:
        base: The whole table.
        changes: What differs: the numbers of rows that the base has and the table has not, and the rows that only the
            table has, with their numbers in the table. All other rows keep their order.

    Returns:
        The table.
    """
    is_added = pc.equal(changes["change"], _ADDED)
    added, added_rows = changes.filter(is_added), changes.filter(is_added)["row"].to_numpy()
    kept = np.delete(np.arange(base.num_rows), changes.filter(pc.invert(is_added))["row"].to_numpy())
    from_base = np.ones(len(kept) + len(added_rows), bool)
    from_base[added_rows] = False
    order = np.empty(len(from_base), np.int64)
    order[from_base], order[added_rows] = kept, base.num_rows + np.arange(len(added_rows))
    return pa.concat_tables([base, added.select(base.column_names)]).take(pa.array(order))


def find_changes(base: pa.Table, table: pa.Table) -> pa.Table:
    """Return what differs between a base and a table, as ``apply_changes`` takes it.

    Args:
        base: The whole table.
        table: The table, with the same columns.

    Returns:
        One row for each row that only one of the two has, or that stands in another order.
    """
    positions = _find_rows(base, table)
    # Whatever stands before a row that was found further down counts as new; such moves are rare.
    kept = (
        positions > np.concatenate([[-1], np.maximum.accumulate(positions)[:-1]]) if len(positions) else positions < 0
    )
    removed = np.delete(np.arange(base.num_rows), positions[kept])
    added = np.flatnonzero(~kept)
    names = [*[_REMOVED] * len(removed), *[_ADDED] * len(added)]
    rows = pa.concat_tables([_nulls(len(removed), table.schema), table.take(pa.array(added))])
    columns = [pa.array(names, pa.string()), pa.array(np.concatenate([removed, added]).astype(np.int64))]
    return pa.table([*columns, *rows.columns], schema=pa.schema([*_CHANGE, *table.schema]))


@contextmanager
def file_errors(objects: Bucket, key: str) -> Iterator[None]:
    """Raise PedigreeError that says which file is missing or damaged, where reading it raises anything.

    Args:
        objects: The store's files.
        key: The file's path in the store.

    Yields:
        Nothing.

    Raises:
        PedigreeError: The file is missing or damaged.
    """
    url = objects.url
    try:
        yield
    except ObjectChangedError:
        raise PedigreeError(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        raise PedigreeError(f"The file {key} in {url} is damaged: put it back from a copy of the store.") from error


def _encode_changes(objects: Bucket, table: pa.Table, former: TableKeys) -> bytes | None:
    """Return a table as changes on the base of a former one; None where it is better written whole."""
    try:
        key = base_of(objects, former)
        data = objects.read(key)
        base = decode_table(data).cast(table.schema)
    except (ServiceUnavailableError, InaccessibleError):
        raise
    except (PedigreeError, ObjectChangedError, pa.ArrowException, OSError, ValueError):
        return None  # Whoever reads the former table will hear of it; this one must not depend on it.
    if base.num_rows < _SMALLEST_BASE:
        return None
    changes = find_changes(base, table)
    if changes.num_rows * _MOST_CHANGED > base.num_rows or not apply_changes(base, changes).equals(table):
        return None
    facts = {_BASE: key.encode(), _BASE_SHA256: sha256_of_bytes(data).encode()}
    return encode_table(changes.replace_schema_metadata(facts))


def _find_rows(base: pa.Table, table: pa.Table) -> NDArray[np.int64]:
    """Return for each row of a table the number of an equal row of the base, or -1, of shape (n_rows,)."""
    if not base.num_rows:
        return np.full(table.num_rows, -1, np.int64)
    hashes = np.zeros(base.num_rows + table.num_rows, np.uint64)
    for column in pa.concat_tables([base, table]).columns:
        hashes = _mix(hashes + _codes(column.combine_chunks()))
    former, present = hashes[: base.num_rows], hashes[base.num_rows :]
    order = np.argsort(former, kind="stable")
    found = order[np.minimum(np.searchsorted(former, present, sorter=order), len(former) - 1)]
    return np.where(former[found] == present, found, -1)


def _codes(values: pa.Array) -> NDArray[np.uint64]:
    """Return a number for each value, of shape (n_rows,); equal values have equal numbers, and most others do not."""
    if not pa.types.is_map(values.type):
        whole = values if pa.types.is_integer(values.type) else values.dictionary_encode().indices
        return np.asarray(whole.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64))
    offsets = values.offsets.to_numpy()
    entries = slice(offsets[0], offsets[-1])
    places = np.arange(offsets[0], offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))
    pairs = _mix(_mix(_mix(places.astype(np.uint64)) + _codes(values.keys[entries])) + _codes(values.items[entries]))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(pairs, dtype=np.uint64)])[offsets - offsets[0]]
    return np.asarray(np.diff(sums))


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread numbers over all of 64 bits, as the generator SplitMix64 does (Steele, Lea, Flood, 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ mixed >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return mixed ^ mixed >> np.uint64(31)


def _read_base(objects: Bucket, metadata: dict[bytes, bytes] | None) -> pa.Table:
    key = _metadata(metadata, _BASE)
    with file_errors(objects, key):
        data = objects.read(key)
        if sha256_of_bytes(data) != _metadata(metadata, _BASE_SHA256):
            raise ValueError(key)
        return decode_table(data)


def _metadata(metadata: dict[bytes, bytes] | None, name: bytes) -> str:
    return (metadata or {})[name].decode()


def _check(table: pa.Table, schema: pa.Schema) -> pa.Table:
    checked = table.select(schema.names).cast(schema)
    checked.validate(full=True)
    return checked


def _nulls(rows: int, schema: pa.Schema) -> pa.Table:
    return pa.table([pa.nulls(rows, field.type) for field in schema], schema=schema)


def _stands(objects: Bucket, key: str) -> bool:
    return any(entry.key == key for entry in objects.entries(key))
