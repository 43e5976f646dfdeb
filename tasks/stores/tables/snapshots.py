"""Snapshots: what each listing of a source held, and what became of every object that was fetched."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.images.rejections import RELEASED, Circumstances, Reason, Rejection
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.ingestion.triggers import SourceDiff
from tasks.domain.labels.labeling import LocatedImage
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.listing_columns import LISTING
from tasks.stores.objects.object_store import Bucket
from tasks.stores.tables.lance_table import Table
from tasks.stores.tables.listings import (
    CIRCUMSTANCES,
    IDENTITY,
    Identity,
    PendingEntries,
    changes,
    entries_of,
    identity_columns,
    latest,
    repeat_text,
    replay,
    row_dicts,
    row_entry,
    row_identity,
    standing_rejections,
    without,
)

_IDENTITY = [("source", pa.string()), *list(LISTING)[:4]]
_OBJECTS = pa.schema([*_IDENTITY, ("modified", pa.string()), ("snapshot", pa.string()), ("present", pa.bool_())])
_CONTENTS = pa.schema([*_IDENTITY, ("image", pa.string())])
_REJECTS = pa.schema([*_IDENTITY, ("reason", pa.string()), ("detail", pa.string()), *CIRCUMSTANCES])
_METADATA = pa.schema([*_IDENTITY, ("modified", pa.string()), ("metadata", pa.map_(pa.string(), pa.string()))])


@dataclass(frozen=True)
class SnapshotStore:
    """The tables ``objects`` (what changed in each listing), ``contents`` (which bytes), ``rejects`` and ``metadata``.

    Methods that take a moment, ISO 8601 in UTC, use the last listing until then; an empty one means now.
    """

    objects: Bucket
    checksums: Checksums

    def sources(self) -> list[str]:
        """List the sources that were ever listed into this store."""
        return sorted(set(self._objects().read(["source"])["source"].to_pylist()))

    def stored(self, source: str, moment: str = "") -> dict[str, Entry]:
        """Return the source's entries as they were listed.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            The entries by key.
        """
        return {entry.key: entry for entry in entries_of(self._listing(source, moment))}

    def keys(self, source: str, moment: str = "") -> list[str]:
        """Return the keys of the source's entries.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            The keys, sorted.
        """
        keys: list[str] = self._listing(source, moment)["key"].to_pylist()
        return keys

    def images_under(self, key: str) -> set[str]:
        """Return all images that an object of this key ever held, in any source."""
        rows = self._contents().read(["key", "image"])
        return set(rows.filter(pc.equal(rows["key"], key))["image"].to_pylist())

    def first_listed(self, source: str) -> str:
        """Return when the source was first listed; empty where it never was."""
        return pc.min(_columns(source, self._objects())["snapshot"]).as_py() or ""

    def listings(self, source: str, moment: str) -> tuple[pa.Table, pa.Table]:
        """Return the last listing, and that of a moment.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            Both listings, in columns.
        """
        history = _columns(source, self._objects())
        last = replay(history)
        if not moment or not history.num_rows or pc.max(history["snapshot"]).as_py() <= moment:
            return last, last
        return last, replay(history.filter(pc.less_equal(history["snapshot"], moment)))

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
        changed = changes(self._listing(source) if previous is None else previous, listed)
        rows = changed.append_column("source", repeat_text(source, changed)).append_column(
            "snapshot", repeat_text(taken, changed)
        )
        self._objects().append(rows.select(_OBJECTS.names))
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
        previous = self._listing(source, moment) if moment else LISTING.empty_table()
        changed = changes(previous, listed)
        before = previous.join(changed.select(["key"]), "key", join_type="left semi")
        present = changed["present"]
        gone, came = PendingEntries(changed.filter(pc.invert(present))), PendingEntries(changed.filter(present))
        return SourceDiff(gone, came, {entry.key: entry for entry in entries_of(before)})

    def pending(
        self, source: str, moment: str = "", beside: str = "", circumstances: Circumstances | None = None
    ) -> PendingEntries:
        """Return the entries that are to be fetched: those neither fetched nor rejected yet, or due for another try.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.
            beside: The key of the manifest, which is no image.
            circumstances: The limits and decoders of now; None where no rejection is tried again.

        Returns:
            The entries, sorted by key.
        """
        listing = without(self._listing(source, moment), _columns(source, self._contents()))
        listing = without(listing, standing_rejections(latest(_columns(source, self._rejects())), circumstances))
        return PendingEntries(listing.filter(pc.not_equal(listing["key"], beside)))

    def located(self, source: str, moment: str = "") -> list[LocatedImage]:
        """Return the entries whose bytes are known.

        Args:
            source: Address of the source.
            moment: The moment; empty means now.

        Returns:
            Their images with their keys, sorted by key.
        """
        contents = _columns(source, self._contents()).select([*IDENTITY, "image"])
        rows = self._listing(source, moment).join(contents, list(IDENTITY), join_type="inner").sort_by("key")
        # Two runs at once may have written the same row twice.
        images = dict(zip(rows["key"].to_pylist(), rows["image"].to_pylist(), strict=True))
        return [LocatedImage(key, image) for key, image in images.items()]

    def rejects(self, source: str) -> dict[Identity, Rejection]:
        """Return the last rejection of each of the source's objects that did not become an image later."""
        rows = latest(_columns(source, self._rejects()))
        rows = rows.join(_columns(source, self._contents()), list(IDENTITY), join_type="left anti")
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
            {**identity_columns(source, entry), "reason": rejection.reason.value, "detail": rejection.detail, **noted}
            for entry, rejection in rejected
        ]
        self._rejects().append(rows)

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

    def _objects(self) -> Table:
        return Table(self.objects, self.checksums, "objects", _OBJECTS)

    def _contents(self) -> Table:
        return Table(self.objects, self.checksums, "contents", _CONTENTS)

    def _rejects(self) -> Table:
        return Table(self.objects, self.checksums, "rejects", _REJECTS)

    def _metadata(self) -> Table:
        return Table(self.objects, self.checksums, "metadata", _METADATA)

    def _listing(self, source: str, moment: str = "") -> pa.Table:
        history = _columns(source, self._objects())
        return replay(history.filter(pc.less_equal(history["snapshot"], moment)) if moment else history)


def _columns(source: str, table: Table) -> pa.Table:
    rows = table.read(table.schema.names)
    return rows.filter(pc.equal(rows["source"], source))


def _source_rows(source: str, table: Table) -> Iterator[dict[str, Any]]:
    return row_dicts(_columns(source, table))
