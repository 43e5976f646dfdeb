"""A source's listing in columns, which a look at the source hands on to the run that it starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from configs.sections import Source
from tasks.domain.ingestion.source_objects import Snapshot, SourceFilter
from tasks.stores.objects.object_store import list_source
from tasks.stores.tables.listings import in_order, listing_hash

if TYPE_CHECKING:
    import pyarrow as pa

# The listing of the source that a run starts with; a million keys take seconds to list.
_at_hand: list[tuple[Source, "ListedSource"]] = []


@dataclass(frozen=True)
class ListedSource:
    """What a source holds at one moment.

    Attributes:
        rows: One row an object, sorted by key.
        facts: The same in numbers, with the moment and the hash of the rows.
    """

    rows: "pa.Table"
    facts: Snapshot


def look_up_source(source: Source) -> ListedSource:
    """List a source, or take the listing that is at hand.

    Args:
        source: Where the photographs are, and which names are passed over.

    Returns:
        The listing.
    """
    if _at_hand and _at_hand[0][0] == source:
        return _at_hand.pop()[1]
    taken, names = datetime.now(UTC).isoformat(), SourceFilter(source.pass_over)
    listing = list_source(source, names)
    rows = in_order(listing.rows)
    facts = Snapshot(
        source.url,
        taken,
        rows.num_rows,
        changed=0,
        passed_over=names.counts(),
        inventory=listing.inventory,
        listing=listing_hash(rows),
    )
    return ListedSource(rows, facts)


@contextmanager
def at_hand(source: Source, listing: ListedSource) -> Iterator[None]:
    """Let the next run in this process begin with a listing.

    Args:
        source: The source that was listed.
        listing: Its listing.

    Yields:
        Nothing.
    """
    _at_hand[:] = [(source, listing)]
    try:
        yield
    finally:
        _at_hand.clear()
