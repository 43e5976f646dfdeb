"""A source's listing in columns, how one differs from the next, and what a history of differences leaves.

Columns take a third of the memory of as many objects of Python; docs/explanation/speed.md says what a
million keys take.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

import numpy as np
import pyarrow as pa

from tasks.domain.ingestion.source_objects import Entry

IDENTITY = ("key", "etag", "size", "version")
LISTING = pa.schema(
    [
        ("key", pa.string()),
        ("etag", pa.string()),
        ("size", pa.int64()),
        ("version", pa.string()),
        ("modified", pa.string()),
    ]
)
_AT_ONCE = 10_000


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
        """Tell whether this very entry is among them."""
        return any(other == entry for other in self)


def in_columns(entries: Iterable[Entry]) -> pa.Table:
    """Put entries into columns, some at a time."""
    rest, batches = iter(entries), []
    while batch := list(islice(rest, _AT_ONCE)):
        batches.append(
            pa.record_batch(
                [[read(entry) for entry in batch] for read in map(attrgetter, LISTING.names)], schema=LISTING
            )
        )
    return pa.Table.from_batches(batches, LISTING)


def entries_of(listing: pa.Table) -> Iterator[Entry]:
    """Yield a listing's entries in its order."""
    for batch in listing.select(LISTING.names).to_batches(_AT_ONCE):
        yield from map(Entry, *(column.to_pylist() for column in batch.columns))


def changes(previous: pa.Table, listed: pa.Table) -> pa.Table:
    """Return the rows, with ``present``, that turn the known listing into the other: first those that are gone, by key.

    One that was written again with the same content counts too: its metadata may be other.
    """
    if previous.equals(listed):
        return _marked(LISTING.empty_table(), present=True)
    gone = previous.join(listed.select(["key"]), "key", join_type="left anti").sort_by("key")
    came = listed.join(previous, LISTING.names, join_type="left anti").sort_by("key")
    return pa.concat_tables([_marked(gone, present=False), _marked(came, present=True)])


def altered_rows(previous: pa.Table, listed: pa.Table) -> pa.Table:
    """Return the known rows whose object is gone or has other content now."""
    if previous.equals(listed):
        return LISTING.empty_table()
    return previous.join(listed.select(IDENTITY), list(IDENTITY), join_type="left anti")


def vanished(previous: pa.Table, listed: pa.Table) -> list[str]:
    """Name the known keys that are gone and whose content, by ETag and size, has come under no other key."""
    gone = previous.join(listed.select(["key"]), "key", join_type="left anti")
    keys: list[str] = gone.join(listed.select(["etag", "size"]), ["etag", "size"], join_type="left anti")[
        "key"
    ].to_pylist()
    return keys


def replay(history: pa.Table) -> pa.Table:
    """Return the listing that changes left, in the order in which they were written, sorted by key."""
    position = pa.array(np.arange(history.num_rows))
    keys = pa.table({"key": history["key"], "place": position})
    last = keys.group_by("key").aggregate([("place", "max")])["place_max"]
    rows = history.take(last)
    return rows.filter(rows["present"]).select(LISTING.names).sort_by("key")


def latest(answers: pa.Table) -> pa.Table:
    """Return of all answers about the same content the one that was written last, in the order of writing."""
    places = answers.select(IDENTITY).append_column("place", pa.array(np.arange(answers.num_rows)))
    last = places.group_by(list(IDENTITY)).aggregate([("place", "max")])["place_max"]
    return answers.take(last.combine_chunks().sort() if answers.num_rows else last)


def without(listing: pa.Table, done: pa.Table) -> pa.Table:
    """Return the entries of a listing whose content is not among the done ones, sorted by key."""
    return listing.join(done.select(IDENTITY), list(IDENTITY), join_type="left anti").sort_by("key")


def _marked(listing: pa.Table, *, present: bool) -> pa.Table:
    marks = pa.array(np.full(listing.num_rows, present))
    return listing.select(LISTING.names).append_column("present", marks)
