"""What each look at a source saw, and what became of every object that was fetched."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.labels import Located
from tasks.domain.listing import Entry
from tasks.domain.rejections import Reason, Rejection
from tasks.domain.watching import Difference
from tasks.stores.listings import IDENTITY, LISTING, Waiting, changes, entries_of, replay, without
from tasks.stores.tables import Table

_IDENTITY = [("source", pa.string()), *list(LISTING)[:4]]
_OBJECTS = pa.schema([*_IDENTITY, ("modified", pa.string()), ("snapshot", pa.string()), ("present", pa.bool_())])
_CONTENTS = pa.schema([*_IDENTITY, ("image", pa.string())])
_REJECTS = pa.schema([*_IDENTITY, ("reason", pa.string()), ("detail", pa.string())])
_METADATA = pa.schema([*_IDENTITY, ("modified", pa.string()), ("metadata", pa.map_(pa.string(), pa.string()))])
# So many rows are objects of Python at a time.
_AT_ONCE = 10_000

Identity = tuple[str, str, int, str]


@dataclass(frozen=True)
class SnapshotStore:
    """The tables ``objects`` (what changed in each listing), ``contents`` (which bytes), ``rejects`` and ``metadata``.

    Where a method takes a moment, ISO 8601 in UTC, it answers as of the last listing until then; empty means now.
    """

    url: str

    def sources(self) -> list[str]:
        """Name the sources that were ever listed into this store."""
        return sorted(set(Table(self.url, "objects", _OBJECTS).read(["source"])["source"].to_pylist()))

    def known(self, source: str, moment: str = "") -> dict[str, Entry]:
        """Return the source's entries as they were listed, by key."""
        return {entry.key: entry for entry in entries_of(self._listing(source, moment))}

    def keys(self, source: str, moment: str = "") -> list[str]:
        """Return the keys of the source's entries, sorted."""
        keys: list[str] = self._listing(source, moment)["key"].to_pylist()
        return keys

    def images_under(self, key: str) -> set[str]:
        """Name all images that an object of this key ever held, in any source."""
        rows = Table(self.url, "contents", _CONTENTS).read(["key", "image"])
        return set(rows.filter(pc.equal(rows["key"], key))["image"].to_pylist())

    def first_look(self, source: str) -> str:
        """Tell when the source was first listed; nothing if it never was."""
        return pc.min(_columns(source, Table(self.url, "objects", _OBJECTS))["snapshot"]).as_py() or ""

    def record(self, source: str, taken: str, listed: pa.Table) -> int:
        """Append what differs from the last listing, and return how much that is."""
        found = changes(self._listing(source), listed)
        rows = found.append_column("source", _same(source, found)).append_column("snapshot", _same(taken, found))
        Table(self.url, "objects", _OBJECTS).append(rows.select(_OBJECTS.names))
        return int(found.num_rows)

    def since(self, source: str, moment: str, listed: pa.Table) -> Difference:
        """Return what turns the listing of that moment into this one; without a moment everything came."""
        known = self._listing(source, moment) if moment else LISTING.empty_table()
        found = changes(known, listed)
        before = known.join(found.select(["key"]), "key", join_type="left semi")
        here = found["present"]
        gone, came = Waiting(found.filter(pc.invert(here))), Waiting(found.filter(here))
        return Difference(gone, came, {entry.key: entry for entry in entries_of(before)})

    def pending(self, source: str, moment: str = "", beside: str = "") -> Waiting:
        """Return the entries that were neither fetched nor rejected yet, sorted by key, all but the one of this key."""
        listing = self._listing(source, moment)
        for table in (Table(self.url, "contents", _CONTENTS), Table(self.url, "rejects", _REJECTS)):
            listing = without(listing, _columns(source, table))
        return Waiting(listing.filter(pc.not_equal(listing["key"], beside)))

    def located(self, source: str, moment: str = "") -> list[Located]:
        """List the entries whose bytes are known, sorted by key."""
        contents = _columns(source, Table(self.url, "contents", _CONTENTS)).select([*IDENTITY, "image"])
        rows = self._listing(source, moment).join(contents, list(IDENTITY), join_type="inner").sort_by("key")
        # Two nights at once may have written the same answer twice.
        images = dict(zip(rows["key"].to_pylist(), rows["image"].to_pylist(), strict=True))
        return [Located(key, image) for key, image in images.items()]

    def rejects(self, source: str) -> dict[Identity, Rejection]:
        """Return every rejection of the source's objects; the first answer about an object stands."""
        found: dict[Identity, Rejection] = {}
        for row in _own(source, Table(self.url, "rejects", _REJECTS)):
            found.setdefault(_key(row), Rejection(Reason(row["reason"]), row["detail"]))
        return found

    def rejected(self, source: str, moment: str = "") -> dict[str, Rejection]:
        """Return the rejections of what the source holds, by key; what was replaced since is past."""
        found = self.rejects(source)
        current = self.known(source, moment).items()
        return {key: found[entry.identity] for key, entry in current if entry.identity in found}

    def add_contents(self, source: str, found: Iterable[tuple[Entry, str]]) -> None:
        """Write down which image each fetched object holds."""
        Table(self.url, "contents", _CONTENTS).append(
            [{**_identity(source, one), "image": image} for one, image in found]
        )

    def add_rejects(self, source: str, found: Iterable[tuple[Entry, Rejection]]) -> None:
        """Write down why each of these objects is no training image."""
        rows = [{**_identity(source, one), "reason": why.reason.value, "detail": why.detail} for one, why in found]
        Table(self.url, "rejects", _REJECTS).append(rows)

    def metadata(self, source: str) -> dict[Entry, Mapping[str, str]]:
        """Return what was read beside the source's objects, one answer for each time that one was written."""
        rows = _own(source, Table(self.url, "metadata", _METADATA))
        return {_entry(row): dict(row["metadata"]) for row in rows}

    def add_metadata(self, source: str, found: Iterable[tuple[Entry, Mapping[str, str]]]) -> None:
        """Write down what was read beside these objects."""
        rows = [
            {**_identity(source, one), "modified": one.modified, "metadata": list(beside.items())}
            for one, beside in found
        ]
        Table(self.url, "metadata", _METADATA).append(rows)

    def _listing(self, source: str, moment: str = "") -> pa.Table:
        history = _columns(source, Table(self.url, "objects", _OBJECTS))
        return replay(history.filter(pc.less_equal(history["snapshot"], moment)) if moment else history)


def _columns(source: str, table: Table) -> pa.Table:
    rows = table.read(table.schema.names)
    return rows.filter(pc.equal(rows["source"], source))


def _own(source: str, table: Table) -> Iterator[dict[str, Any]]:
    for batch in _columns(source, table).to_batches(_AT_ONCE):
        yield from batch.to_pylist()


def _same(text: str, rows: pa.Table) -> pa.Array:
    return pa.repeat(pa.scalar(text), rows.num_rows)


def _identity(source: str, entry: Entry) -> dict[str, Any]:
    return {"source": source, "key": entry.key, "etag": entry.etag, "size": entry.size, "version": entry.version}


def _key(row: dict[str, Any]) -> Identity:
    return row["key"], row["etag"], row["size"], row["version"]


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(*_key(row), row["modified"])
