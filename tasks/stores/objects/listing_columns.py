"""Listings in columns: what a folder and a bucket fill, with no Python object a key left behind."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.ingestion.source_objects import PARTIAL, SourceFilter

#: A listing: the fields of an ``Entry``, in their order.
LISTING = pa.schema(
    [
        ("key", pa.string()),
        ("etag", pa.string()),
        ("size", pa.int64()),
        ("version", pa.string()),
        ("modified", pa.string()),
    ]
)
# Pages that become one piece of a listing.
_PAGES = 50
_FOLDER = r"^(?:(.*)/)?[^/]*$"


def listing_batch(
    keys: Sequence[str], etags: Sequence[str], sizes: Sequence[int], times: Sequence[str]
) -> pa.RecordBatch:
    """Put objects without version ids into columns.

    Args:
        keys: Their keys.
        etags: Their ETags.
        sizes: Their sizes in bytes.
        times: When they were written, in ISO 8601 and UTC.

    Returns:
        Columns of a listing.
    """
    lengths = pa.Array.from_buffers(pa.int64(), len(keys), [None, pa.py_buffer(array("q", sizes))])
    columns = [text_column(keys), text_column(etags), lengths, text_column([""] * len(keys)), text_column(times)]
    return pa.RecordBatch.from_arrays(columns, schema=LISTING)


def text_column(texts: Sequence[str]) -> pa.Array:
    """Return texts as a column; ``pa.array`` would import pandas, to see whether they are one of its series.

    Args:
        texts: The texts.

    Returns:
        The column.
    """
    encoded = [text.encode() for text in texts]
    ends = array("i", accumulate(map(len, encoded), initial=0))
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def joined(batches: Iterable[pa.RecordBatch], names: SourceFilter | None = None) -> pa.Table:
    """Join the pages of a listing as they come; many small pages take twice the memory of their text.

    Args:
        batches: The pages, in the order of their keys.
        names: What is passed over; None where nothing is.

    Returns:
        The listing.
    """
    rest, parts = iter(batches), [LISTING.empty_table()]
    while pages := list(islice(rest, _PAGES)):
        parts.append(without_passed_over(pa.Table.from_batches(pages, LISTING).combine_chunks(), names))
    return pa.concat_tables(parts)


def without_passed_over(listing: pa.Table, names: SourceFilter | None) -> pa.Table:
    """Leave out and count what a source passes over; each folder is looked at once, however many keys it holds.

    Args:
        listing: Columns of a listing.
        names: What is passed over; None where nothing is.

    Returns:
        The other rows, in their order.
    """
    if names is None or not listing.num_rows:
        return listing
    keys = listing["key"].combine_chunks() if isinstance(listing["key"], pa.ChunkedArray) else listing["key"]
    folders = pc.dictionary_encode(pc.replace_substring_regex(keys, _FOLDER, r"\1"))
    skipped = np.array([names.skips_key(f"{folder}/") for folder in folders.dictionary.to_pylist()], bool)
    kept = ~skipped[folders.indices.to_numpy()]
    for place in np.flatnonzero(kept & pc.ends_with(keys, PARTIAL).to_numpy(zero_copy_only=False)):
        kept[place] = not names.skips_file(keys[int(place)].as_py())
    return listing if kept.all() else listing.filter(pa.array(kept))
