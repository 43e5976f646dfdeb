"""What each look at a source saw, and what became of every object that was fetched."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.images.rejections import RELEASED, Circumstances, Reason, Rejection, is_retry_due
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.ingestion.triggers import SourceDiff
from tasks.domain.labels.labeling import LocatedImage
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket
from tasks.stores.tables.lance_table import Table
from tasks.stores.tables.listings import IDENTITY, LISTING, PendingEntries, changes, entries_of, latest, replay, without

_IDENTITY = [("source", pa.string()), *list(LISTING)[:4]]
_OBJECTS = pa.schema([*_IDENTITY, ("modified", pa.string()), ("snapshot", pa.string()), ("present", pa.bool_())])
_CONTENTS = pa.schema([*_IDENTITY, ("image", pa.string())])
# Tables from before these were noted gain the columns of the circumstances, empty, with the first row that has them.
_CIRCUMSTANCES = [
    ("max_bytes", pa.int64()),
    ("max_pixels", pa.int64()),
    ("min_side", pa.int64()),
    ("decoders", pa.string()),
    ("time", pa.string()),
]
_REJECTS = pa.schema([*_IDENTITY, ("reason", pa.string()), ("detail", pa.string()), *_CIRCUMSTANCES])
_METADATA = pa.schema([*_IDENTITY, ("modified", pa.string()), ("metadata", pa.map_(pa.string(), pa.string()))])
# So many rows are objects of Python at a time.
_AT_ONCE = 10_000

Identity = tuple[str, str, int, str]


@dataclass(frozen=True)
class SnapshotStore:
    """The tables ``objects`` (what changed in each listing), ``contents`` (which bytes), ``rejects`` and ``metadata``.

    Where a method takes a moment, ISO 8601 in UTC, it answers as of the last listing until then; empty means now.
    """

    objects: Bucket
    checksums: Checksums

    def sources(self) -> list[str]:
        """Name the sources that were ever listed into this store."""
        return sorted(set(self._objects().read(["source"])["source"].to_pylist()))

    def stored(self, source: str, moment: str = "") -> dict[str, Entry]:
        """Return the source's entries as they were listed, by key."""
        return {entry.key: entry for entry in entries_of(self._listing(source, moment))}

    def keys(self, source: str, moment: str = "") -> list[str]:
        """Return the keys of the source's entries, sorted."""
        keys: list[str] = self._listing(source, moment)["key"].to_pylist()
        return keys

    def images_under(self, key: str) -> set[str]:
        """Name all images that an object of this key ever held, in any source."""
        rows = self._contents().read(["key", "image"])
        return set(rows.filter(pc.equal(rows["key"], key))["image"].to_pylist())

    def first_listed(self, source: str) -> str:
        """Tell when the source was first listed; nothing if it never was."""
        return pc.min(_columns(source, self._objects())["snapshot"]).as_py() or ""

    def listings(self, source: str, moment: str) -> tuple[pa.Table, pa.Table]:
        """Return the last listing, and that of a moment; without a moment the last one is both."""
        history = _columns(source, self._objects())
        last = replay(history)
        if not moment or not history.num_rows or pc.max(history["snapshot"]).as_py() <= moment:
            return last, last
        return last, replay(history.filter(pc.less_equal(history["snapshot"], moment)))

    def record(self, source: str, taken: str, listed: pa.Table, previous: pa.Table | None = None) -> int:
        """Append what differs from the last listing, where that is not at hand already; return how much it is."""
        changed = changes(self._listing(source) if previous is None else previous, listed)
        rows = changed.append_column("source", _same(source, changed)).append_column("snapshot", _same(taken, changed))
        self._objects().append(rows.select(_OBJECTS.names))
        return int(changed.num_rows)

    def since(self, source: str, moment: str, listed: pa.Table) -> SourceDiff:
        """Return what turns the listing of that moment into this one; without a moment everything came."""
        previous = self._listing(source, moment) if moment else LISTING.empty_table()
        changed = changes(previous, listed)
        before = previous.join(changed.select(["key"]), "key", join_type="left semi")
        present = changed["present"]
        gone, came = PendingEntries(changed.filter(pc.invert(present))), PendingEntries(changed.filter(present))
        return SourceDiff(gone, came, {entry.key: entry for entry in entries_of(before)})

    def pending(
        self, source: str, moment: str = "", beside: str = "", circumstances: Circumstances | None = None
    ) -> PendingEntries:
        """Return the entries that are to be fetched, sorted by key, all but the one of the key ``beside``.

        These were neither fetched nor rejected yet; or they were rejected, and the rejection does not stand
        under ``circumstances``.
        """
        listing = without(self._listing(source, moment), _columns(source, self._contents()))
        listing = without(listing, _standing(latest(_columns(source, self._rejects())), circumstances))
        return PendingEntries(listing.filter(pc.not_equal(listing["key"], beside)))

    def located(self, source: str, moment: str = "") -> list[LocatedImage]:
        """List the entries whose bytes are known, sorted by key."""
        contents = _columns(source, self._contents()).select([*IDENTITY, "image"])
        rows = self._listing(source, moment).join(contents, list(IDENTITY), join_type="inner").sort_by("key")
        # Two nights at once may have written the same answer twice.
        images = dict(zip(rows["key"].to_pylist(), rows["image"].to_pylist(), strict=True))
        return [LocatedImage(key, image) for key, image in images.items()]

    def rejects(self, source: str) -> dict[Identity, Rejection]:
        """Return every rejection of the source's objects that did not become an image later; the last answer stands."""
        rows = latest(_columns(source, self._rejects()))
        rows = rows.join(_columns(source, self._contents()), list(IDENTITY), join_type="left anti")
        return {_key(row): Rejection(Reason(row["reason"]), row["detail"]) for row in _dicts(rows)}

    def rejected(self, source: str, moment: str = "") -> dict[str, Rejection]:
        """Return the rejections of what the source holds, by key; what was replaced since is past."""
        rejections = self.rejects(source)
        if not rejections:
            return {}
        current = self.stored(source, moment).items()
        return {key: rejections[entry.identity] for key, entry in current if entry.identity in rejections}

    def release(self, source: str, reasons: Collection[Reason]) -> Counter[Reason]:
        """Have what the source holds and was rejected for these reasons examined again, and count it by reason."""
        rejections = self.rejects(source)
        current = [entry for entry in self.stored(source).values() if entry.identity in rejections]
        released = [
            (entry, rejections[entry.identity]) for entry in current if rejections[entry.identity].reason in reasons
        ]
        self.add_rejects(source, released, Circumstances(None, None, None, None, RELEASED))
        return Counter(rejection.reason for _, rejection in released)

    def add_contents(self, source: str, fetched: Iterable[tuple[Entry, str]]) -> None:
        """Write down which image each fetched object holds."""
        self._contents().append([{**_identity(source, entry), "image": image} for entry, image in fetched])

    def add_rejects(
        self, source: str, rejected: Iterable[tuple[Entry, Rejection]], circumstances: Circumstances | None = None
    ) -> None:
        """Write down why each of these objects is no training image, and what that may depend on."""
        noted = asdict(circumstances) if circumstances else {}
        rows = [
            {**_identity(source, entry), "reason": rejection.reason.value, "detail": rejection.detail, **noted}
            for entry, rejection in rejected
        ]
        self._rejects().append(rows)

    def metadata(self, source: str) -> dict[Entry, Mapping[str, str]]:
        """Return what was read beside the source's objects, one answer for each time that one was written."""
        rows = _source_rows(source, self._metadata())
        return {_entry(row): dict(row["metadata"]) for row in rows}

    def add_metadata(self, source: str, metadata: Iterable[tuple[Entry, Mapping[str, str]]]) -> None:
        """Write down what was read beside these objects."""
        rows = [
            {**_identity(source, entry), "modified": entry.modified, "metadata": list(beside.items())}
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
    return _dicts(_columns(source, table))


def _dicts(rows: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in rows.to_batches(_AT_ONCE):
        yield from batch.to_pylist()


def _standing(rejects: pa.Table, circumstances: Circumstances | None) -> pa.Table:
    """Keep the rejections that stand now; all of them where it is not asked what holds now."""
    if circumstances is None or not rejects.num_rows:
        return rejects
    # Of a whole night's rejections all but the reasons are the same, so few kinds are looked at.
    by = ["reason", *(name for name, _ in _CIRCUMSTANCES)]
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
    return Circumstances(*(row[name] for name, _ in _CIRCUMSTANCES))


def _same(text: str, rows: pa.Table) -> pa.Array:
    return pa.repeat(pa.scalar(text), rows.num_rows)


def _identity(source: str, entry: Entry) -> dict[str, Any]:
    return {"source": source, "key": entry.key, "etag": entry.etag, "size": entry.size, "version": entry.version}


def _key(row: dict[str, Any]) -> Identity:
    return row["key"], row["etag"], row["size"], row["version"]


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(*_key(row), row["modified"])
