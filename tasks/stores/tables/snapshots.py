"""Snapshots: what each listing of a source held, and what became of every object that was fetched."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.images.rejections import RELEASED, Circumstances, Reason, Rejection, is_retried_in_time
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.labels.inbox_labels import LABEL_FILES
from tasks.stores.tables.lance_table import Table
from tasks.stores.tables.listing_history import SOURCE_IDENTITY, ListingHistory, source_columns
from tasks.stores.tables.listings import (
    CIRCUMSTANCES,
    IDENTITY,
    Identity,
    PendingEntries,
    entries_of,
    identity_columns,
    latest,
    repeat_text,
    row_dicts,
    row_entry,
    row_identity,
    standing_rejections,
    without,
)

_CONTENTS = pa.schema([*SOURCE_IDENTITY, ("image", pa.string())])
_REJECTS = pa.schema([*SOURCE_IDENTITY, ("reason", pa.string()), ("detail", pa.string()), *CIRCUMSTANCES])
_METADATA = pa.schema([*SOURCE_IDENTITY, ("modified", pa.string()), ("metadata", pa.map_(pa.string(), pa.string()))])


@dataclass(frozen=True)
class SnapshotStore(ListingHistory):
    """The tables ``objects`` (what changed in each listing), ``contents`` (which bytes), ``rejects`` and ``metadata``.

    Methods that take a moment, ISO 8601 in UTC, use the last listing until then; an empty one means now.
    """

    def stored(self, source: str, moment: str = "") -> dict[str, Entry]:
        """Return the source's entries as they were listed.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            The entries by key.
        """
        return {entry.key: entry for entry in entries_of(self.listing(source, moment))}

    def images_under(self, key: str) -> set[str]:
        """Return all images that an object of this key ever held, in any source."""
        rows = self._contents().read(["key", "image"])
        return set(rows.filter(pc.equal(rows["key"], key))["image"].to_pylist())

    def pending(
        self, source: str, moment: str = "", beside: str = "", circumstances: Circumstances | None = None
    ) -> PendingEntries:
        """Return the entries that are to be fetched: those neither fetched nor rejected yet, or due for another try.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.
            beside: The key of the manifest, which is no image; label files of the inbox are none either.
            circumstances: The limits and decoders of now; None where no rejection is tried again.

        Returns:
            The entries, sorted by key.
        """
        listing = without(self.listing(source, moment), source_columns(source, self._contents()))
        listing = without(listing, standing_rejections(latest(source_columns(source, self._rejects())), circumstances))
        files = pc.or_(pc.equal(listing["key"], beside), pc.starts_with(listing["key"], LABEL_FILES))
        return PendingEntries(listing.filter(pc.invert(files)))

    def is_retried_in_time(self, source: str) -> bool:
        """Check whether an object that the source holds is rejected for a reason that passes by itself."""
        rows = latest(source_columns(source, self._rejects()))
        if rows.num_rows:
            rows = rows.join(self.listing(source).select(IDENTITY), list(IDENTITY), join_type="left semi")
        return any(map(is_retried_in_time, rows["reason"].unique().to_pylist()))

    def located(self, source: str, moment: str = "") -> pa.Table:
        """Return the entries whose bytes are known.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            The columns ``key`` and ``image``, sorted by key.
        """
        contents = source_columns(source, self._contents()).select([*IDENTITY, "image"])
        rows = self.listing(source, moment).join(contents, list(IDENTITY), join_type="inner").sort_by("key")
        # Two runs at once may have written the same row twice.
        again = pc.equal(rows["key"][1:], rows["key"][:-1])
        if pc.any(again).as_py():
            rows = rows.filter(pa.chunked_array([[True], *pc.invert(again).chunks]))
        return rows.select(["key", "image"])

    def rejects(self, source: str) -> dict[Identity, Rejection]:
        """Return the last rejection of each of the source's objects that did not become an image later."""
        rows = latest(source_columns(source, self._rejects()))
        rows = rows.join(source_columns(source, self._contents()), list(IDENTITY), join_type="left anti")
        return {row_identity(row): Rejection(Reason(row["reason"]), row["detail"]) for row in row_dicts(rows)}

    def rejected(self, source: str, moment: str = "") -> dict[str, Rejection]:
        """Return the rejections of objects that the source holds.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            The rejections by key; those of contents that were replaced since are left out.
        """
        rejections = self.rejects(source)
        if not rejections:
            return {}
        current = self.stored(source, moment).items()
        return {key: rejections[entry.identity] for key, entry in current if entry.identity in rejections}

    def release(self, source: str, reasons: Collection[Reason]) -> Counter[Reason]:
        """Release objects of the source that were rejected, so that the next run examines them again.

        Args:
            source: Address of the source.
            reasons: The reasons of the rejections.

        Returns:
            The number of objects by reason.
        """
        rejections = self.rejects(source)
        current = [entry for entry in self.stored(source).values() if entry.identity in rejections]
        released = [
            (entry, rejections[entry.identity]) for entry in current if rejections[entry.identity].reason in reasons
        ]
        self.add_rejects(source, released, Circumstances(None, None, None, None, RELEASED))
        return Counter(rejection.reason for _, rejection in released)

    def add_contents(self, source: str, fetched: Iterable[tuple[Entry, str]]) -> None:
        """Write down which image each fetched object holds.

        Args:
            source: Address of the source.
            fetched: The objects with their images.
        """
        self._contents().append([{**identity_columns(source, entry), "image": image} for entry, image in fetched])

    def add_rejects(
        self, source: str, rejected: Iterable[tuple[Entry, Rejection]], circumstances: Circumstances | None = None
    ) -> None:
        """Write down why objects are rejected.

        Args:
            source: Address of the source.
            rejected: The objects with their rejections.
            circumstances: The limits and decoders that the rejections may depend on.
        """
        noted = asdict(circumstances) if circumstances else {}
        rows = [
            {
                **identity_columns(source, entry),
                "reason": rejection.reason.value,
                "detail": rejection.detail,
                **noted,
            }
            for entry, rejection in rejected
        ]
        self._rejects().append(rows)

    def copy_source(self, former: str, source: str) -> None:
        """Write all rows about a source under another address too; the listings come last, in one commit.

        Args:
            former: The address that they are under.
            source: The other address.
        """
        for table in (self._contents(), self._rejects(), self._metadata(), self._objects()):
            rows = source_columns(former, table)
            column = rows.schema.get_field_index("source")
            table.append(rows.set_column(column, "source", repeat_text(source, rows)))

    def metadata(self, source: str) -> dict[Entry, Mapping[str, str]]:
        """Return the metadata of the source's objects, one entry for each time that an object was written."""
        rows = _source_rows(source, self._metadata())
        return {row_entry(row): dict(row["metadata"]) for row in rows}

    def add_metadata(self, source: str, metadata: Iterable[tuple[Entry, Mapping[str, str]]]) -> None:
        """Write down the metadata of objects.

        Args:
            source: Address of the source.
            metadata: The objects with their metadata.
        """
        rows = [
            {**identity_columns(source, entry), "modified": entry.modified, "metadata": list(beside.items())}
            for entry, beside in metadata
        ]
        self._metadata().append(rows)

    def _contents(self) -> Table:
        return Table(self.objects, self.checksums, "contents", _CONTENTS)

    def _rejects(self) -> Table:
        return Table(self.objects, self.checksums, "rejects", _REJECTS)

    def _metadata(self) -> Table:
        return Table(self.objects, self.checksums, "metadata", _METADATA)


def _source_rows(source: str, table: Table) -> Iterator[dict[str, Any]]:
    return row_dicts(source_columns(source, table))
