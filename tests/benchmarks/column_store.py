"""A store that knows many images, made in columns in seconds: nothing is fetched or decoded, and no file is an image.

Its source is what ``tests.benchmarks.s3_stub`` lists, so whole commands find nothing new there:

    python -m tests.benchmarks.column_store FOLDER KNOWN [--fetched IMAGES] [--split IMAGES]
"""

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.images.crops import PARTS_BYTES
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.images.near_duplicates import HASH_BYTES
from tasks.stores.objects.listing_columns import LISTING
from tasks.stores.store import Store
from tasks.stores.tables.lance_table import Table
from tests.benchmarks import s3_stub

SOURCE = "s3://benchmark/photos"
#: The size of each object in bytes, which the stub must be started with.
SIZE = 1000
TAKEN = "2026-11-02T00:00:00+00:00"
_MODIFIED = "2026-11-01T00:00:00+00:00"
_CLASSES, _AT_ONCE = 100, 100_000
_SHARES = {"train": 0.65, "test": 0.2, "validation": 0.15}


def make_store(folder: Path, listed: int, fetched: int | None = None, split: int | None = None) -> Store:
    """Make the store ``folder/store``, as the runs of former nights would leave it.

    Args:
        folder: Where the store is put; nothing must be there.
        listed: How many objects the last listing held.
        fetched: How many of them were fetched and decoded; None means all, and more than listed is possible.
        split: How many of those have a split; None means all.

    Returns:
        The store.
    """
    store = Store(str(folder / "store"))
    store.claim_format()
    images = listed if fetched is None else fetched
    _append(store.table("objects", _objects()), make_listing(listed).append_column("present", _repeat(True, listed)))  # noqa: FBT003 - a column's value
    names = _add_fetched(store, make_listing(images))
    _add_splits(store, names[: images if split is None else split])
    return store


def add_fetched(store: Store, known: int, images: int) -> None:
    """Add more images to a store, as if a run had fetched and decoded them and had died then.

    Args:
        store: Made by ``make_store``.
        known: How many objects of the source it has fetched.
        images: How many it is to have fetched.
    """
    listing = make_listing(images)
    numbers = pc.utf8_slice_codeunits(listing["key"], -len("00000000.jpg"), -len(".jpg")).cast(pa.int64())
    _add_fetched(store, listing.filter(pc.greater_equal(numbers, known)))


def make_listing(number: int) -> pa.Table:
    """Make a listing of the first so many objects of the source, sorted by key."""
    return pa.Table.from_batches(_listing_batches(number), LISTING)


def write_settings(folder: Path) -> Path:
    """Write settings for whole commands beside the store, and return their path."""
    path = folder / "settings.yaml"
    path.write_text(f'source: {{url: "{SOURCE}"}}\nstore: {{url: "{folder}/store"}}\n')
    return path


def _listing_batches(number: int) -> Iterator[pa.RecordBatch]:
    for folder in range(_CLASSES):
        keys = [f"class-{folder:03}/{n:08}.jpg" for n in range(folder, number, _CLASSES)]
        etags = [s3_stub.make_etag(f"photos/{key}") for key in keys]
        columns = [keys, etags, *(_repeat(value, len(keys)) for value in (SIZE, "", _MODIFIED))]
        yield pa.record_batch(columns, schema=LISTING)


def _add_fetched(store: Store, rows: pa.Table) -> pa.Array:
    names = pa.array([hashlib.sha256(key.encode()).hexdigest() for key in rows["key"].to_pylist()])
    _append(store.table("contents", _contents()), rows.append_column("image", names))
    _add_images(store, names)
    return names


def _append(table: Table, rows: pa.Table) -> None:
    constant = {"source": SOURCE, "snapshot": TAKEN}
    for name in [name for name in table.schema.names if name not in rows.column_names]:
        rows = rows.append_column(name, _repeat(constant[name], rows.num_rows))
    table.append(rows.select(table.schema.names))


def _objects() -> pa.Schema:
    identity = [("source", pa.string()), *list(LISTING)]
    return pa.schema([*identity, ("snapshot", pa.string()), ("present", pa.bool_())])


def _contents() -> pa.Schema:
    return pa.schema([("source", pa.string()), *list(LISTING)[:4], ("image", pa.string())])


def _add_images(store: Store, names: pa.Array) -> None:
    """Add images whose perceptual hashes are random, so that no two are near duplicates."""
    first, properties = names[0].as_py(), ImageProperties(brightness=0.5, contrast=0.2, sharpness=0.1, tone=0.5)
    parts = np.random.default_rng(1).bytes(PARTS_BYTES)
    store.images.add([(ImageInfo(first, 500, 375, "JPEG", parts[:HASH_BYTES], properties, parts), b"known")])
    schema = store.table("images", pa.schema([])).stored_schema()
    assert schema is not None
    # Of each call's own, since equal hashes are duplicates.
    chance = np.random.default_rng(int(first[:8], 16))

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(1, len(names), _AT_ONCE):
            part = names[start : start + _AT_ONCE]
            values = {"data": b"known", "width": 500, "height": 375, "format": "JPEG"}
            values |= {name: getattr(properties, name) for name in ImageProperties.__slots__}
            columns = {name: pa.repeat(pa.scalar(value), len(part)) for name, value in values.items()} | {"image": part}
            for field in schema:
                if field.name not in columns:
                    width = field.type.byte_width
                    data = pa.py_buffer(chance.bytes(width * len(part)))
                    columns[field.name] = pa.Array.from_buffers(field.type, len(part), [None, data])
            ordered = [columns[field.name].cast(field.type) for field in schema]
            yield pa.record_batch(ordered, schema=schema)

    store.table("images", schema).append(pa.RecordBatchReader.from_batches(schema, batches()))


def _add_splits(store: Store, names: pa.Array) -> None:
    """Give each image a group of its own and a split by chance."""
    dealt = np.random.default_rng(0).choice(list(_SHARES), len(names), p=list(_SHARES.values()))
    schema = pa.schema([("place", pa.int64()), ("image", pa.string()), ("group", pa.string()), ("split", pa.string())])
    columns = [np.arange(len(names)), names, names, pa.array(dealt.tolist())]
    store.table("splits", schema).append(pa.table(columns, schema=schema))


def _repeat(value: str | int, times: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), times)


def main() -> None:
    """Make a store, and print where it and its settings are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("known", type=int)
    parser.add_argument("--fetched", type=int)
    parser.add_argument("--split", type=int)
    given = parser.parse_args()
    given.folder.mkdir(parents=True)
    make_store(given.folder, given.known, given.fetched, given.split)
    print(write_settings(given.folder))


if __name__ == "__main__":
    main()
