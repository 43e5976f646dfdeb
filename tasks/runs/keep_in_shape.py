"""The store after a run: tables of few fragments, and no version or known result that nobody reads any more."""

from typing import TYPE_CHECKING

from configs.errors import PedigreeError
from tasks.domain.phrasing import count
from tasks.step import log_line
from tasks.stores.files.store_clock import store_time
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.stores.tables.lance_table import Table

# The tables that each run may append to; those of features only where it computed some.
_TABLES = ("images", "contents", "objects", "rejects", "metadata", "splits")


def keep_in_shape(store: Store, *, sweep: bool) -> None:
    """Join small fragments of the store's tables, and sweep replaced versions and what steps found long ago.

    One run at a time does so; another leaves it to that one. A run that fails at it has done its work all the same, and
    the next one takes it up again.

    Args:
        store: The store.
        sweep: Whether the run has written so much that old versions are looked for; otherwise fragments are counted.
    """
    try:
        names = [name for name in _tables(store, sweep=sweep) if sweep or _has_many_files(store, name)]
        if not names:
            return
        with store.leases.hold_if_free("tables") as lease:
            if lease is None:
                return
            now = store_time(store.objects) if sweep else None
            joined = sum(_table(store, name).tend(now) for name in names)
            if now:
                store.known_results.sweep(now)
    except PedigreeError as problem:
        log_line(f"the tables of the store are left as they are until the next run: {problem}")
        return
    if joined:
        log_line(f"{count(joined, 'small fragment')} of the store's tables became part of larger ones")


def _table(store: Store, name: str) -> "Table":
    import pyarrow as pa

    return store.table(name, pa.schema([]))


def _has_many_files(store: Store, name: str) -> bool:
    from tasks.stores.tables.upkeep import MANY

    return len(_table(store, name).files()) > MANY


def _tables(store: Store, *, sweep: bool) -> list[str]:
    features = {entry.key.split(".lance/")[0] for entry in store.objects.entries("features/")} if sweep else set()
    return [*_TABLES, *sorted(features)]
