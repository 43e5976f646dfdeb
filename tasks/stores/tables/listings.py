"""Listings of a source in columns: differences between two of them, and the listing that a history of them gives.

Columns take a third of the memory of Python objects; docs/explanation/speed-of-sources.md says how much a million keys
take.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.images.rejections import Circumstances, is_retry_due
from tasks.domain.ingestion.source_objects import Entry
from tasks.stores.objects.listing_columns import LISTING, text_column

IDENTITY = ("key", "etag", "size", "version")
#: Columns of a rejection that older tables gain, empty, with the first row that has them.
CIRCUMSTANCES = [
    ("max_bytes", pa.int64()),
    ("max_pixels", pa.int64()),
    ("min_side", pa.int64()),
    ("decoders", pa.string()),
    ("time", pa.string()),
]
# Rows that are Python objects at a time.
_AT_ONCE = 10_000

Identity = tuple[str, str, int, str]


@dataclass(frozen=True)
class PendingEntries:
    """Entries that stay in columns: a million of them as objects would take half a gigabyte."""

    rows: pa.Table

    def __len__(self) -> int:
        """Count the entries."""
        return int(self.rows.num_rows)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries in their order."""
        return entries_of(self.rows)

    def __contains__(self, entry: object) -> bool:
        """Check whether this very entry is among them."""
        return any(other == entry for other in self)


def entries_of(listing: pa.Table) -> Iterator[Entry]:
    """Yield a listing's entries in its order."""
    for batch in listing.select(LISTING.names).to_batches(_AT_ONCE):
        yield from map(Entry, *(column.to_pylist() for column in batch.columns))


def in_order(listing: pa.Table) -> pa.Table:
    """Return a listing sorted by key, which most are from the start."""
    keys = listing["key"]
    ordered = len(keys) < 2 or pc.all(pc.less(keys[:-1], keys[1:])).as_py()  # noqa: PLR2004 - one is in order
    return listing if ordered else listing.sort_by("key")


def listing_hash(listing: pa.Table) -> str:
    """Return the SHA-256 of all columns of a listing, whatever its order: 64 hex digits."""
    digest = hashlib.sha256()
    for batch in in_order(listing.select(LISTING.names)).to_batches(_AT_ONCE):
        columns = [column.cast(pa.string()) for column in batch.columns]
        # No key, ETag or version has such a character: neither a file's name nor XML can hold it.
        lines = pc.binary_join_element_wise(*columns, text_column(["\0"] * batch.num_rows))
        digest.update("\0\0".join(lines.to_pylist()).encode() + b"\0\0")
    return digest.hexdigest()


def changes(previous: pa.Table, listed: pa.Table) -> pa.Table:
    """Compute the difference between two listings.

    Args:
        previous: The known listing.
        listed: The new one.

    Returns:
        The rows that are gone (``present`` is false) and then those that came, each by key. An object that was written
    again with the same content counts as one that came, since its metadata may differ.
    """
    if previous.equals(listed):
        return _marked(LISTING.empty_table(), present=True)
    gone = previous.join(listed.select(["key"]), "key", join_type="left anti").sort_by("key")
    came = listed.join(previous, LISTING.names, join_type="left anti").sort_by("key")
    return pa.concat_tables([_marked(gone, present=False), _marked(came, present=True)])


def altered_rows(previous: pa.Table, listed: pa.Table) -> pa.Table:
    """Return the known rows whose object is gone or has other content now.

    Args:
        previous: The known listing.
        listed: The new one.

    Returns:
        Rows of the known listing.
    """
    if previous.equals(listed):
        return LISTING.empty_table()
    return previous.join(listed.select(IDENTITY), list(IDENTITY), join_type="left anti")


def vanished(previous: pa.Table, listed: pa.Table) -> list[str]:
    """Return the known keys that are gone, and whose content is found under no other key.

    Args:
        previous: The known listing.
        listed: The new one, whose contents are compared by ETag and size.

    Returns:
        The keys.
    """
    gone = previous.join(listed.select(["key"]), "key", join_type="left anti")
    keys: list[str] = gone.join(listed.select(["etag", "size"]), ["etag", "size"], join_type="left anti")[
        "key"
    ].to_pylist()
    return keys


def replay(history: pa.Table) -> pa.Table:
    """Return the listing, sorted by key, that changes give in the order in which they were written."""
    position = pa.array(np.arange(history.num_rows))
    keys = pa.table({"key": history["key"], "place": position})
    last = np.sort(keys.group_by("key").aggregate([("place", "max")])["place_max"].to_numpy())
    # In the order of writing most rows are sorted by key already, and none moves where each key was written once.
    rows = history if len(last) == history.num_rows else history.take(pa.array(last))
    return in_order(rows.filter(rows["present"]).select(LISTING.names))


def latest(answers: pa.Table) -> pa.Table:
    """Return for each content the row that was written last, in the order of writing."""
    places = answers.select(IDENTITY).append_column("place", pa.array(np.arange(answers.num_rows)))
    last = places.group_by(list(IDENTITY)).aggregate([("place", "max")])["place_max"]
    return answers.take(last.combine_chunks().sort() if answers.num_rows else last)


def without(listing: pa.Table, done: pa.Table) -> pa.Table:
    """Return the entries of a listing whose content is not in another table.

    Args:
        listing: The listing.
        done: A table with the same identifying columns.

    Returns:
        The entries, sorted by key.
    """
    return listing.join(done.select(IDENTITY), list(IDENTITY), join_type="left anti").sort_by("key")


def _marked(listing: pa.Table, *, present: bool) -> pa.Table:
    marks = pa.array(np.full(listing.num_rows, present))
    return listing.select(LISTING.names).append_column("present", marks)


def standing_rejections(rejects: pa.Table, circumstances: Circumstances | None) -> pa.Table:
    """Return the rejections that are not due for another try.

    Args:
        rejects: The rejections, in columns.
        circumstances: The limits and decoders of now; None where no rejection is tried again.

    Returns:
        Rows of the rejections.
    """
    if circumstances is None or not rejects.num_rows:
        return rejects
    # Within a run all rejections share everything but the reason, so few kinds have to be checked.
    by = ["reason", *(name for name, _ in CIRCUMSTANCES)]
    numbered = rejects.select(by).append_column("place", pa.array(range(rejects.num_rows)))
    kinds = numbered.group_by(by).aggregate([("place", "list")]).to_pylist()
    return rejects.take(
        pa.array(
            [
                position
                for kind in kinds
                if not is_retry_due(kind["reason"], _circumstances(kind), circumstances)
                for position in kind["place_list"]
            ],
            pa.int64(),
        )
    )


def _circumstances(row: dict[str, Any]) -> Circumstances:
    return Circumstances(*(row[name] for name, _ in CIRCUMSTANCES))


def row_dicts(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows as dictionaries, converted some at a time."""
    for batch in rows.to_batches(_AT_ONCE):
        yield from batch.to_pylist()


def repeat_text(text: str, rows: pa.Table) -> pa.Array:
    """Return a column that has the same text in each row.

    Args:
        text: The text.
        rows: The table whose length the column gets.

    Returns:
        The column.
    """
    return pa.repeat(pa.scalar(text), rows.num_rows)


def identity_columns(source: str, entry: Entry) -> dict[str, Any]:
    """Return the columns of a row that identify an object.

    Args:
        source: Address of the source.
        entry: The object as it was listed.

    Returns:
        Values by column.
    """
    return {"source": source, "key": entry.key, "etag": entry.etag, "size": entry.size, "version": entry.version}


def row_identity(row: Mapping[str, Any]) -> Identity:
    """Return what identifies the object of a row, as ``Entry.identity`` does."""
    return row["key"], row["etag"], row["size"], row["version"]


def row_entry(row: Mapping[str, Any]) -> Entry:
    """Return the entry of a row."""
    return Entry(*row_identity(row), row["modified"])
