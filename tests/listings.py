"""Listings in columns, made of entries."""

from collections.abc import Iterable
from operator import attrgetter

import pyarrow as pa

from tasks.domain.ingestion.source_objects import Entry
from tasks.stores.objects.listing_columns import LISTING


def in_columns(entries: Iterable[Entry]) -> pa.Table:
    """Put entries into columns."""
    rows = list(entries)
    return pa.table([[read(entry) for entry in rows] for read in map(attrgetter, LISTING.names)], schema=LISTING)
