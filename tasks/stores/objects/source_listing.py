"""The listing of a source, by whichever way its settings say."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from configs.sections import Source
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.stores.objects.object_store import open_bucket

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class SourceListing:
    """The objects of a source in columns, and when the inventory was begun that tells them; empty where none does."""

    rows: "pa.Table"
    inventory: str = ""


def list_source(source: Source, names: SourceFilter) -> SourceListing:
    """List a source, or read its inventory.

    Args:
        source: The settings of the source.
        names: What is passed over.

    Returns:
        The listing, sorted by key.
    """
    if source.listing == "inventory":
        from tasks.stores.objects.inventory import read_inventory

        oldest = timedelta(days=source.inventory_days)
        return SourceListing(*read_inventory(source.inventory, source.url, oldest, names))
    return SourceListing(open_bucket(source.url).listing(names=names))
