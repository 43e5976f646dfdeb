"""The files of a store against the checksums that were kept when they were written."""

import re
from collections.abc import Iterator

import pyarrow as pa

from configs.errors import PedigreeError, ServiceUnavailableError
from tasks.domain.phrasing import count
from tasks.stores.store import Store

_ROWS = re.compile(r"(.+)\.lance/data/.+")


def damaged_files(store: Store) -> Iterator[tuple[str, str]]:
    """Yield each file that was altered or is lost, each table that lost rows, and each break of the ledger's chain."""
    yield from ((key, detail) for key, detail in store.checksums.altered_files() if not _made_again(store, key))
    yield from _lost_rows(store)
    ledger = store.ledger
    yield from ((key, "The decision that it belongs to is not in the store.") for key in ledger.orphans())
    try:
        broken = ledger.first_altered()
    except PedigreeError:
        return  # The entry that cannot be read is named already.
    if broken:
        yield broken, "It, or an entry before it, was changed, removed or added."


def missing_checksums(store: Store) -> Iterator[str]:
    """Say what nothing proves yet, since an earlier Pedigree wrote it or its run died."""
    files = store.checksums.files_without()
    if files:
        soon = "" if store.checksums.is_complete() else "; the next run gives them one, and takes them on trust"
        yield f"{count(len(files), 'file')} without a checksum, such as {files[0]}{soon}"


def _made_again(store: Store, key: str) -> bool:
    """Tell whether a file belonged to features that somebody moved away, as a run advises, and runs make again."""
    match = _ROWS.fullmatch(key)
    if not match or not key.startswith("features/"):
        return False
    try:
        return key not in store.table(match[1], pa.schema([])).files()
    except ServiceUnavailableError:
        raise
    except PedigreeError:
        return False


def _lost_rows(store: Store) -> Iterator[tuple[str, str]]:
    """Yield the files of rows of which no table knows any more, as after its newest version was lost."""
    recorded = store.checksums.read()
    for name in sorted({match[1] for key in recorded if (match := _ROWS.fullmatch(key))}):
        try:
            current = store.table(name, pa.schema([])).files()
        except ServiceUnavailableError:
            raise
        except PedigreeError as problem:
            yield f"{name}.lance", str(problem)
            continue
        lost = [key for key in recorded if key.startswith(f"{name}.lance/data/") and key not in current]
        if lost:  # What was compacted is kept for those who are reading it, and no row of it is lost.
            lost = sorted(set(lost) - store.table(name, pa.schema([])).files(replaced=True))
        present = {entry.key for entry in store.objects.entries(f"{name}.lance/data/")} if lost else set()
        yield from ((key, f"The table {name} does not know of its rows any more.") for key in lost if key in present)
