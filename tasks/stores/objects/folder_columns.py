"""A folder's listing in columns: keys, ETags and times as ``FolderBucket.entries`` makes them one by one."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.stores.objects.file_status import describe_file, format_time, make_etag
from tasks.stores.objects.folder_walk import Found, found_below
from tasks.stores.objects.listing_columns import LISTING, listing_batch

# Seconds of the years 1 to 9999, outside of which Python has no dates.
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
_AT_ONCE = 100_000


def list_columns(root: str, prefix: str, names: SourceFilter | None) -> pa.Table:
    """List the files below a folder.

    Args:
        root: The folder.
        prefix: What their keys start with; empty for all files.
        names: What is passed over in a source; None in a store.

    Returns:
        A listing, sorted by key.
    """
    folder = prefix.rpartition("/")[0]
    found = found_below(root, f"{folder}/" if folder else "", names)
    known = np.frombuffer(found.places, np.int64) if found.places else np.empty(0, np.int64)
    batches = [_batch(found, known, start) for start in range(0, len(known), _AT_ONCE)]
    listing = pa.Table.from_batches([*batches, _others(root, found, known)], LISTING)
    if prefix:
        listing = listing.filter(pc.starts_with(listing["key"], prefix))
    return listing.take(pc.sort_indices(listing["key"])).combine_chunks()


def _batch(found: Found, known: NDArray[np.int64], start: int) -> pa.RecordBatch:
    """Put files whose folders told their status into columns."""
    part = slice(start, start + _AT_ONCE)
    keys, sizes = [found.keys[place] for place in known[part]], found.sizes[part]
    etags = list(map(make_etag, found.nanoseconds[part], found.inodes[part], sizes))
    return listing_batch(keys, etags, sizes, _times(np.frombuffer(found.seconds[part], np.float64)))


def _others(root: str, found: Found, known: NDArray[np.int64]) -> pa.RecordBatch:
    """Ask the files whose folders did not tell their status, such as links; what is gone meanwhile is left out."""
    places = np.setdiff1d(np.arange(len(found.keys)), known, assume_unique=True)
    entries = [entry for place in places if (entry := describe_file(root, found.keys[place]))]
    keys, etags, sizes, _, times = zip(*entries, strict=True) if entries else ((), (), (), (), ())
    return listing_batch(keys, etags, sizes, times)


def _times(seconds: NDArray[np.float64]) -> list[str]:
    """Write times in ISO 8601 exactly as Python does, which rounds to microseconds and leaves out a fraction of zero.

    Args:
        seconds: Seconds since 1970, float64 of shape ``(n_files,)``.

    Returns:
        The times.
    """
    fraction, integral = np.modf(seconds)
    usual = (integral >= _FIRST) & (integral < _LAST)
    microseconds = np.where(usual, integral, 0).astype(np.int64) * 1_000_000 + np.rint(fraction * 1e6).astype(np.int64)
    texts = np.datetime_as_string(microseconds.astype("datetime64[us]")).tolist()
    return [
        f"{text.removesuffix('.000000')}+00:00" if fits else format_time(moment)
        for text, fits, moment in zip(texts, usual.tolist(), seconds.tolist(), strict=True)
    ]
