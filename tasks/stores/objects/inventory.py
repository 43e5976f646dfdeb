"""S3 Inventory: a listing of a bucket that S3 itself writes each day or week, in place of thousands of requests.

Whatever is not certain is refused: an inventory that is half written, damaged, old or of another bucket would make
photographs look deleted that nobody deleted.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import PedigreeError
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.domain.phrasing import count, list_names
from tasks.stores.objects.listing_columns import LISTING, joined
from tasks.stores.objects.object_store import Bucket, ObjectChangedError, open_bucket
from tasks.stores.objects.s3_pages import iso_times

# The folders of an inventory's configuration that hold a manifest each, by the time when it was begun.
_DATED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\dZ)/(manifest\.json|manifest\.checksum)")
_MANIFEST, _CHECKSUM = "manifest.json", "manifest.checksum"
_ARN = "arn:aws:s3:::"
# What a column is called in Parquet, and here.
_COLUMNS = {"key": "key", "e_tag": "etag", "size": "size", "last_modified_date": "modified"}
_FLAGS = ("is_latest", "is_delete_marker")
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Inventory:
    """One inventory.

    Attributes:
        address: Where its manifest lies, for sentences.
        taken: When it was begun, in ISO 8601 and UTC: later objects are in the next one.
        bucket: The bucket that it is of.
        place: The bucket that its data files lie in.
        form: ``CSV`` or ``Parquet``.
        columns: The columns of its data files, named as in Parquet.
        files: Key, size in bytes and MD5 of each data file.
    """

    address: str
    taken: str
    bucket: str
    place: str
    form: str
    columns: tuple[str, ...]
    files: tuple[tuple[str, int, str], ...]


def read_inventory(
    address: str, source: str, oldest: timedelta, names: SourceFilter | None = None
) -> tuple[pa.Table, str]:
    """Read the newest inventory of a source.

    Args:
        address: Where its configuration writes it, such as s3://inventories/photos/daily.
        source: Address of the source.
        oldest: The greatest age at which it is still used.
        names: What is passed over in the source.

    Returns:
        The listing of the source, as listing it would give it, and when the inventory was begun.

    Raises:
        PedigreeError: There is none, or it is half written, damaged, too old, of another bucket, or lacks a column.
    """
    inventory = _newest(open_bucket(address), address)
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    if inventory.bucket != bucket:
        raise PedigreeError(
            f"The inventory {inventory.address} is of the bucket {inventory.bucket}, and source.url of {bucket}: "
            "correct source.inventory."
        )
    age = datetime.now(UTC) - datetime.fromisoformat(inventory.taken)
    if age > oldest:
        raise PedigreeError(
            f"The newest inventory {inventory.address} is {count(age.days, 'day')} old, and source.inventory_days "
            f"allows {oldest.days}: see why S3 writes none, or set source.listing to list."
        )
    _check_columns(inventory)
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    listing = joined(_batches(inventory, prefix), names)
    return listing.take(pc.sort_indices(listing["key"])).combine_chunks(), inventory.taken


def _newest(bucket: Bucket, address: str) -> Inventory:
    """Find the newest inventory that is complete, and check its manifest against its checksum."""
    found: dict[str, set[str]] = {}
    for entry in bucket.entries("2"):
        if match := _DATED.fullmatch(entry.key):
            found.setdefault(match[1], set()).add(match[2])
    complete = [time for time, files in found.items() if files == {_MANIFEST, _CHECKSUM}]
    if not complete:
        state = f"the one of {max(found)} is still being written" if found else "there is none"
        raise PedigreeError(
            f"{address} holds no whole inventory ({state}): name the folder that holds folders such as "
            "2026-11-28T01-00Z in source.inventory, or wait; the first inventory may take two days."
        )
    manifest = f"{address.rstrip('/')}/{max(complete)}/{_MANIFEST}"
    try:
        data = bucket.read(f"{max(complete)}/{_MANIFEST}")
        checksum = bucket.read(f"{max(complete)}/{_CHECKSUM}").decode(errors="replace").strip()
        if _md5(data) != checksum:
            raise _damaged(manifest, f"it has another MD5 than {_CHECKSUM} says")
        return _parse(manifest, json.loads(data))
    except ObjectChangedError:
        raise PedigreeError(f"The inventory {manifest} was removed while it was read: run again.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(manifest, f"{type(error).__name__}: {str(error)[:100]}") from None


def _parse(place: str, manifest: dict[str, Any]) -> Inventory:
    form, schema = str(manifest["fileFormat"]), str(manifest["fileSchema"])
    columns = (
        re.findall(r"\w+\s+\w+\s+(\w+)\s*(?:\(\w+(?:\(\w+,\w+\))?\))?\s*;", schema)
        if form == "Parquet"
        else [_snake(name.strip()) for name in schema.split(",")]
    )
    return Inventory(
        place,
        datetime.fromtimestamp(int(manifest["creationTimestamp"]) / 1000, UTC).isoformat(),
        str(manifest["sourceBucket"]),
        str(manifest["destinationBucket"]).removeprefix(_ARN),
        form,
        tuple(columns),
        tuple((str(file["key"]), int(file["size"]), str(file["MD5checksum"])) for file in manifest["files"]),
    )


def _snake(name: str) -> str:
    """Name a column of CSV as Parquet does: ``ETag`` is ``e_tag`` there."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=E)(?=Tag)", "_", name).lower()


def _check_columns(inventory: Inventory) -> None:
    if inventory.form not in {"CSV", "Parquet"}:
        raise PedigreeError(
            f"The inventory {inventory.address} is written as {inventory.form}: let S3 write it as Parquet or CSV."
        )
    lacking = sorted(_COLUMNS.keys() - set(inventory.columns))
    if "version_id" in inventory.columns:
        lacking += sorted(set(_FLAGS) - set(inventory.columns))
    if lacking:
        raise PedigreeError(
            f"The inventory {inventory.address} lacks {list_names(lacking)}: add these fields to its configuration."
        )


def _batches(inventory: Inventory, prefix: str) -> Iterator[pa.RecordBatch]:
    """Yield the current objects below the prefix, file by file, in the order of the files."""
    bucket = open_bucket(f"s3://{inventory.place}")
    for key, size, md5 in inventory.files:
        try:
            data = bucket.read(key)
        except ObjectChangedError:
            raise _damaged(inventory.address, f"its data file {key} is missing") from None
        if len(data) != size or _md5(data) != md5.lower():
            raise _damaged(inventory.address, f"its data file {key} has another size or MD5 than the manifest says")
        try:
            for rows in _read_csv(data, inventory.columns) if inventory.form == "CSV" else _read_parquet(data):
                yield from _current(rows, prefix, inventory.bucket).to_batches()
        except (pa.ArrowException, ValueError, KeyError, OSError) as error:
            words = " ".join(str(error).split())[:100]
            raise _damaged(inventory.address, f"its data file {key} cannot be read: {words}") from None


def _read_csv(data: bytes, columns: Sequence[str]) -> Iterator[pa.Table]:
    from pyarrow import csv

    stream: Any = pa.BufferReader(data)
    if data.startswith(b"\x1f\x8b"):
        stream = pa.CompressedInputStream(stream, "gzip")
    if not data:
        return
    reader = csv.open_csv(
        stream,
        read_options=csv.ReadOptions(column_names=list(columns)),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string())),
    )
    for batch in reader:
        rows = pa.table(batch)
        yield rows.set_column(rows.column_names.index("key"), "key", _decoded(batch["key"]))


def _decoded(keys: pa.Array) -> pa.Array:
    """Decode keys, which are encoded as in an address; most need no decoding."""
    encoded = pc.match_substring_regex(keys, "[%+]")
    if not pc.any(encoded).as_py():
        return keys
    texts = [unquote_plus(key, errors="strict") for key in keys.filter(encoded).to_pylist()]
    return pc.replace_with_mask(keys, encoded, pa.array(texts, pa.string()))


def _read_parquet(data: bytes) -> Iterator[pa.Table]:
    from pyarrow import parquet

    file = parquet.ParquetFile(pa.BufferReader(data))
    columns = [name for name in file.schema_arrow.names if name in {"bucket", *_COLUMNS, *_FLAGS}]
    for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
        yield pa.table(batch)


def _current(rows: pa.Table, prefix: str, bucket: str) -> pa.Table:
    """Return a listing's rows: what is below the prefix, is no former version, and is no mark of a folder."""
    if "bucket" in rows.column_names and not pc.all(pc.equal(rows["bucket"], bucket)).as_py():
        raise ValueError(f"it holds objects of another bucket than {bucket}")
    kept = pc.and_(pc.starts_with(rows["key"], prefix), pc.invert(pc.ends_with(rows["key"], "/")))
    if "is_latest" in rows.column_names:
        kept = pc.and_(kept, _is_true(rows["is_latest"]))
    if "is_delete_marker" in rows.column_names:
        kept = pc.and_(kept, pc.invert(_is_true(rows["is_delete_marker"])))
    rows = rows.filter(kept)
    keys = pc.utf8_slice_codeunits(rows["key"], len(prefix)) if prefix else rows["key"]
    versions = pa.array(np.full(rows.num_rows, ""), pa.string())
    columns = [keys, pc.utf8_trim(rows["e_tag"], '"'), rows["size"], versions, _times(rows["last_modified_date"])]
    listing = pa.table([pc.cast(column, field.type) for column, field in zip(columns, LISTING, strict=True)], LISTING)
    if any(column.null_count for column in listing.columns):
        raise ValueError("a row lacks its size, time or ETag")
    return listing


def _is_true(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_boolean(column.type):
        column = pc.equal(pc.utf8_lower(column), "true")
    return pc.fill_null(column, fill_value=False)


def _times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        column = pc.strftime(pc.cast(column, pa.timestamp("ms")), "%Y-%m-%dT%H:%M:%SZ")
    return pa.chunked_array([pa.array(iso_times(column.to_pylist()), pa.string())])


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _damaged(place: str, reason: str) -> PedigreeError:
    return PedigreeError(f"The inventory {place} is damaged or not whole ({reason}): wait for the next one.")
