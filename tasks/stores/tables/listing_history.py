"""The history of a source's listings: what changed in each, and so what the source held at any moment."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.ingestion.triggers import SourceDiff
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.known_results import TableVersion, table_version
from tasks.stores.objects.listing_columns import LISTING
from tasks.stores.objects.object_store import Bucket
from tasks.stores.tables.lance_table import Table
from tasks.stores.tables.listings import (
    PendingEntries,
    changes,
    entries_of,
    in_order,
    repeat_text,
    replay,
)

#: Columns that identify an object of a source in each table of a store.
SOURCE_IDENTITY = [("source", pa.string()), *list(LISTING)[:4]]
_OBJECTS = pa.schema([*SOURCE_IDENTITY, ("modified", pa.string()), ("snapshot", pa.string()), ("present", pa.bool_())])
# The last listing of one source, by store, source and version of the table: the steps of a run need the same one.
_last: dict[tuple[str, str, TableVersion], pa.Table] = {}


@dataclass(frozen=True)
class ListingHistory:
    """The table ``objects``: what changed in each listing.

    Methods that take a moment, ISO 8601 in UTC, use the last listing until then; an empty one means now.
    """

    objects: Bucket
    checksums: Checksums

    def sources(self) -> list[str]:
        """List the sources that were ever listed into this store."""
        return sorted(set(self._objects().read(["source"])["source"].to_pylist()))

    def first_listed(self, source: str) -> str:
        """Return when the source was first listed; empty where it never was."""
        return pc.min(self._times(source)).as_py() or ""

    def listing(self, source: str, moment: str = "") -> pa.Table:
        """Return a listing in columns; the last one is replayed once by all that happens between two changes.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            The listing, sorted by key.
        """
        if moment:
            history = source_columns(source, self._objects())
            return replay(history.filter(pc.less_equal(history["snapshot"], moment)))
        version = self._version()
        if (last := _last.get((self.objects.url, source, version))) is not None:
            return last
        last = replay(source_columns(source, self._objects()))
        self._keep(source, version, last)
        return last

    def history(self, source: str) -> pa.Table:
        """Return every change of a source's listings, in the order of writing."""
        return source_columns(source, self._objects())

    def keys(self, source: str, moment: str = "") -> list[str]:
        """Return the keys of the source's entries.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            The keys, sorted.
        """
        keys: list[str] = self.listing(source, moment)["key"].to_pylist()
        return keys

    def listings(self, source: str, moment: str) -> tuple[pa.Table, pa.Table]:
        """Return the last listing, and that of a moment.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            Both listings, in columns.
        """
        last = self.listing(source)
        if not moment or self.last_change(source) <= moment:
            return last, last
        return last, self.listing(source, moment)

    def last_change(self, source: str) -> str:
        """Return the time of the listing that last differed from the one before; empty where none was recorded."""
        return pc.max(self._times(source)).as_py() or ""

    def record(self, source: str, taken: str, listed: pa.Table, previous: pa.Table | None = None) -> int:
        """Append what differs from the last listing.

        Args:
            source: Address of the source.
            taken: When it was listed, ISO 8601 in UTC.
            listed: The new listing.
            previous: The last listing; None where it is not at hand.

        Returns:
            The number of objects that differ.
        """
        changed = changes(self.listing(source) if previous is None else previous, listed)
        rows = changed.append_column("source", repeat_text(source, changed)).append_column(
            "snapshot", repeat_text(taken, changed)
        )
        version = self._version()
        self._objects().append(rows.select(_OBJECTS.names))
        if self._version().number == version.number + bool(changed.num_rows):
            self._keep(source, self._version(), in_order(listed.select(LISTING.names)))
        return int(changed.num_rows)

    def since(self, source: str, moment: str, listed: pa.Table) -> SourceDiff:
        """Compute what has changed since a moment.

        Args:
            source: Address of the source.
            moment: The moment; empty means that everything is new.
            listed: The new listing.

        Returns:
            The entries that are gone, and those that came.
        """
        previous = self.listing(source, moment) if moment else LISTING.empty_table()
        changed = changes(previous, listed)
        before = previous.join(changed.select(["key"]), "key", join_type="left semi")
        present = changed["present"]
        gone, came = PendingEntries(changed.filter(pc.invert(present))), PendingEntries(changed.filter(present))
        return SourceDiff(gone, came, {entry.key: entry for entry in entries_of(before)})

    def _objects(self) -> Table:
        return Table(self.objects, self.checksums, "objects", _OBJECTS)

    def _times(self, source: str) -> pa.ChunkedArray:
        return source_columns(source, self._objects(), ["source", "snapshot"])["snapshot"]

    def _version(self) -> TableVersion:
        return table_version(self.objects, "objects")

    def _keep(self, source: str, version: TableVersion, listing: pa.Table) -> None:
        """Hand a listing on to later steps, unless another run has changed the table since this version."""
        if self._version() == version:
            _last.clear()
            _last[self.objects.url, source, version] = listing


def source_columns(source: str, table: Table, columns: list[str] | None = None) -> pa.Table:
    """Return the rows of a table that are about a source.

    Args:
        source: Address of the source.
        table: The table.
        columns: The columns that are wanted, with the source; None means all.

    Returns:
        The rows.
    """
    rows = table.read(columns or table.schema.names)
    return rows.filter(pc.equal(rows["source"], source))
