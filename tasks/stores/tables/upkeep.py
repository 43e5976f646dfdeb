"""Upkeep of Lance tables: small fragments become larger ones in their order, and what nobody reads any more goes."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tasks.stores.files.checksums import Checksums
from tasks.stores.files.store_clock import age
from tasks.stores.objects.object_store import Bucket
from tasks.stores.tables.lance_rows import ROWS_AT_ONCE, files_of

if TYPE_CHECKING:
    import lance

# More rows than any table has: fragments are rewritten whole.
_ALL_ROWS = 2**40
#: A table with more fragments than the first number is compacted to at most the second, and one more a million rows.
MANY, _FEW, _ROWS_A_FRAGMENT = 48, 32, 1_000_000
# No fragment is made of more rows than the first number, or than this share of the table; above the last one never.
_SMALL, _SHARE, _LARGEST = 65_536, 24, 2**21
# What was replaced is kept for so long, since a reader may have begun just before.
_READERS = timedelta(days=1)
# Lance names a version's file by how far its number is from the largest one of 64 bits.
_VERSION = re.compile(r".*/_versions/(\d{20})\.manifest")
_LAST_VERSION = 2**64 - 1


def drop_image(dataset: "lance.LanceDataset", image: str) -> None:
    """Delete the rows of an image, write the rest of their fragments anew, and drop all former versions.

    Args:
        dataset: The table.
        image: The image.
    """
    dataset.delete(f"image = '{image}'")
    _rewrite(dataset, [fragment.fragment_id for fragment in dataset.get_fragments() if fragment.num_deletions])
    dataset.cleanup_old_versions(older_than=timedelta(0))


def is_scattered(dataset: "lance.LanceDataset") -> bool:
    """Check whether a table has so many fragments that reading it costs more than it should."""
    fragments = len(dataset.get_fragments())
    return fragments > MANY and fragments > MANY + dataset.count_rows() // _ROWS_A_FRAGMENT


def compact(dataset: "lance.LanceDataset") -> None:
    """Join neighbouring fragments, the smallest ones first; each row keeps its number.

    Each join is a commit of its own, so that a run which dies keeps the ones before.

    Args:
        dataset: The table.
    """
    while True:
        fragments = dataset.get_fragments()
        rows = [fragment.count_rows() for fragment in fragments]
        if len(rows) <= _FEW + sum(rows) // _ROWS_A_FRAGMENT:
            return
        window = cheapest_join(rows)
        if window is None:
            return
        _rewrite(dataset, [fragments[number].fragment_id for number in window])


def cheapest_join(rows: Sequence[int]) -> range | None:
    """Choose the neighbouring fragments whose join rewrites the fewest rows for each fragment that it saves.

    So a row is rewritten few times in the life of a table: the new and small fragments are joined each night, the
    larger ones that come of it seldom.

    Args:
        rows: The number of rows of each fragment.

    Returns:
        The fragments to join; None where each pair would become too large.
    """
    largest = min(max(_SMALL, sum(rows) // _SHARE), _LARGEST)
    ends = np.concatenate([[0], np.cumsum(rows)])
    best, window = np.inf, None
    for first in range(len(rows) - 1):
        last = int(np.searchsorted(ends, ends[first] + largest, "right")) - 1
        saved = np.arange(1, last - first)
        if len(saved):
            costs = (ends[first + 2 : last + 1] - ends[first]) / saved
            cheapest = int(np.argmin(costs))
            if costs[cheapest] < best:
                best, window = costs[cheapest], range(first, first + 2 + cheapest)
    return window


def old_versions(manifests: Sequence[tuple[str, str]], now: datetime) -> list[int]:
    """List the versions of a table that another one replaced more than a day ago.

    A version's own age says nothing: the newest one may be a month old, and be read while a new one replaces it.

    Args:
        manifests: The key of each version's file, and when it was written.
        now: The store's time.

    Returns:
        The numbers of the versions.
    """
    written = {_LAST_VERSION - int(match[1]): time for key, time in manifests if (match := _VERSION.fullmatch(key))}
    numbers = sorted(written)
    return [number for number, following in pairwise(numbers) if age(written[following], now) > _READERS]


def tend(
    open_table: "Callable[[], lance.LanceDataset | None]", folder: str, checksums: Checksums, now: datetime | None
) -> int:
    """Compact a table that needs it, and sweep what was replaced more than a day ago.

    Args:
        open_table: Opens the table's newest version, or returns None where there is no table.
        folder: The key prefix of the table.
        checksums: Those of its files are kept in step.
        now: The store's time; None where nothing is to be swept.

    Returns:
        The number of fragments that became part of larger ones.
    """
    dataset = open_table()
    if dataset is None:
        return 0
    joined = len(dataset.get_fragments())
    if is_scattered(dataset):
        compact(dataset)
    joined -= len(dataset.get_fragments())
    versions = checksums.objects.entries(f"{folder}_versions/") if now else ()
    old = old_versions([(entry.key, entry.modified) for entry in versions], now) if now else []
    if joined or old:
        _settle_checksums(open_table, folder, checksums)
    if old and now:
        dataset.cleanup_old_versions(versions=old, error_if_tagged_old_versions=False)
        _sweep_strays(dataset, folder, checksums.objects, now)
    return joined


def files_of_versions(dataset: "lance.LanceDataset") -> set[str]:
    """Return the data files of every version of a table that is left, old ones too."""
    versions = (version["version"] for version in dataset.versions())
    return {file for version in versions for file in files_of(dataset.checkout_version(version))}


def files_of_held_rows(dataset: "lance.LanceDataset") -> set[str]:
    """Return the data files of a table, and those that compaction has replaced since the table was last overwritten."""
    import lance

    files: set[str] = set()
    for version in sorted((version["version"] for version in dataset.versions()), reverse=True):
        files |= files_of(dataset.checkout_version(version))
        transaction = dataset.read_transaction(version)
        if transaction is not None and isinstance(transaction.operation, lance.LanceOperation.Overwrite):
            break
    return files


def _settle_checksums(open_table: "Callable[[], lance.LanceDataset | None]", folder: str, checksums: Checksums) -> None:
    """Forget the checksums of files that were replaced, and write those that a run which died did not.

    They go before their files do, so that a run which dies in between leaves nothing that looks lost. Those of a table
    that somebody has overwritten stay, since its rows are lost.
    """
    # In this order: what another run appends meanwhile is in the table before its checksum is there.
    recorded = set(checksums.read(f"{folder}data/"))
    dataset = open_table()
    current = {f"{folder}data/{file}" for file in files_of(dataset)} if dataset is not None else recorded
    for key in sorted(current - recorded):
        checksums.record(key)
    lost = files_of_versions(dataset) - files_of_held_rows(dataset) if dataset is not None else set()
    checksums.forget(recorded - current - {f"{folder}data/{file}" for file in lost})


def _sweep_strays(dataset: "lance.LanceDataset", folder: str, objects: Bucket, now: datetime) -> None:
    """Remove files older than a day that no version names: writers left them that died before their commit."""
    files = [entry for entry in objects.entries(f"{folder}data/") if age(entry.modified, now) > _READERS]
    # The versions are read after the files were listed: what came in between is named by one of them, or is young.
    current = {f"{folder}data/{file}" for file in files_of(dataset)}
    if all(entry.key in current for entry in files):
        return
    dataset.checkout_latest()  # type: ignore[no-untyped-call]
    named = {f"{folder}data/{file}" for file in files_of_versions(dataset)}
    for entry in files:
        if entry.key not in named:
            objects.remove(entry.key)


def _rewrite(dataset: "lance.LanceDataset", fragments: Sequence[int]) -> None:
    """Write these fragments anew in one, without deleted rows; those that are no neighbours stay apart."""
    chosen = set(fragments)
    others = [fragment.fragment_id for fragment in dataset.get_fragments() if fragment.fragment_id not in chosen]
    dataset.optimize.compact_files(
        target_rows_per_fragment=_ALL_ROWS,
        materialize_deletions_threshold=0.0,
        batch_size=ROWS_AT_ONCE,
        excluded_fragment_ids=others,
    )
