"""A source folder that was moved: what the store knows of it under its former address holds under the new one."""

from collections.abc import Iterator

import pyarrow as pa

from tasks.domain.phrasing import count
from tasks.stores.objects.folder import folder_path
from tasks.stores.store import Store
from tasks.stores.tables.listings import entries_of

# The share of the former folder's objects that must lie in the new one, under the same keys and of the same size.
_ALIKE = 0.5


def adopt_former_source(source: str, listed: pa.Table, taken: str, store: Store) -> str:
    """Take over the past of a folder that is not there any more, where a new folder holds the same objects.

    So a folder that was moved or renamed keeps its listings, its rejections, the day from which on it was known, and
    the protection against photographs that vanish; where its files are the same, none is fetched again.

    Args:
        source: Address of the source.
        listed: What it holds now.
        taken: When it was listed, ISO 8601 in UTC.
        store: Gets the rows under the new address; those under the former one stay, as of a folder that is empty.

    Returns:
        What was done, in words; empty where nothing was.
    """
    if source.startswith("s3://") or not listed.num_rows or store.snapshots.first_listed(source):
        return ""
    former = next((folder for folder in _vanished_folders(source, store) if _is_alike(folder, listed, store)), "")
    if not former:
        return ""
    objects = len(store.snapshots.keys(former))
    _copy_past(former, source, store)
    store.snapshots.record(former, taken, listed.slice(0, 0))
    return f"{source} holds what {former} held, which is gone: its past holds for {count(objects, 'object')} here."


def _vanished_folders(source: str, store: Store) -> Iterator[str]:
    """Yield the folders that were listed into this store and are not there any more, those listed last first."""
    snapshots = store.snapshots
    names = (name for name in snapshots.sources() if name != source and not name.startswith("s3://"))
    gone = [name for name in names if not folder_path(name).exists()]
    yield from sorted(gone, key=snapshots.last_change, reverse=True)


def _is_alike(former: str, listed: pa.Table, store: Store) -> bool:
    before = store.snapshots.listing(former).select(["key", "size"])
    common = before.join(listed.select(["key", "size"]), ["key", "size"], join_type="left semi")
    return bool(before.num_rows) and common.num_rows >= _ALIKE * before.num_rows


def _copy_past(former: str, source: str, store: Store) -> None:
    """Copy all that is kept by address, the listings last: only they say that a source is known."""
    store.label_manifests.copy_source(former, source, entries_of(store.snapshots.history(former)))
    if labels := store.labellings.latest(former):
        store.labellings.record_latest(source, labels)
    if answered := store.processed_snapshots.last(former):
        store.processed_snapshots.write(source, answered, f"copied from {former}")
    store.snapshots.copy_source(former, source)
