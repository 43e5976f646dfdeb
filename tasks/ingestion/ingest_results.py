"""Results of fetching, and their order of writing: images first, then what points to them."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic

from tasks.domain.images.rejections import Circumstances, Rejection, is_retried_every_run
from tasks.domain.ingestion.source_objects import Entry
from tasks.ingestion.fetching import Result
from tasks.ingestion.ingest_task import Ingested
from tasks.stores.store import Store
from tasks.stores.tables.name_index import KnownNames
from tasks.stores.tables.snapshots import SnapshotStore

# The most objects, and seconds, between two commits of what workers have written.
_OBJECTS, _SECONDS = 10_000, 60.0


@dataclass
class Results:
    """Writes what was fetched; a run that dies leaves nothing that points to an image which is not there.

    Attributes:
        store: Gets images, contents and rejections.
        source: Address of the source.
        circumstances: The limits and decoders under which files were rejected.
        new: Images that are new to the store so far.
        rejected: Objects that were rejected so far.
        again: Objects that are to be fetched once more.
    """

    store: Store
    source: str
    circumstances: Circumstances
    new: int = 0
    rejected: int = 0
    again: list[Entry] = field(default_factory=list)
    _fragments: list[str] = field(default_factory=list)
    _waiting: list[tuple[Entry, str | Rejection]] = field(default_factory=list)
    _since: float = field(default_factory=monotonic)

    _written: set[str] = field(default_factory=set)

    @cached_property
    def _known_before(self) -> KnownNames:
        return self.store.images.known()

    def store_batch(self, results: Sequence[tuple[Entry, Result]]) -> None:
        """Write what this process fetched."""
        images = {result[0].image: result for _, result in results if not isinstance(result, Rejection)}
        new = self._lacking(images)
        self.store.images.add([image for name, image in images.items() if name in new])
        self._know(new)
        self._point(
            [(entry, result if isinstance(result, Rejection) else result[0].image) for entry, result in results]
        )

    def add(self, batch: Sequence[Entry], ingested: Ingested) -> None:
        """Take what a worker fetched and wrote, and commit what is there once it is enough or old enough.

        Where two workers wrote the same image at the same time, what the second one wrote is not taken, and the rest of
        its batch is to be fetched again.

        Args:
            batch: The objects.
            ingested: What became of them.
        """
        if self._lacking(ingested.written) == ingested.written:
            self._fragments += ingested.fragments
            self._know(ingested.written)
        lacking = self._lacking({result for result in ingested.results if not isinstance(result, Rejection)})
        for entry, result in zip(batch, ingested.results, strict=True):
            if isinstance(result, Rejection) or result not in lacking:
                self._waiting.append((entry, result))
            else:
                self.again.append(entry)
        if len(self._waiting) >= _OBJECTS or monotonic() - self._since >= _SECONDS:
            self.commit()

    def commit(self) -> None:
        """Commit what workers have written, and then point to it."""
        self.store.images.commit_fragments(self._fragments)
        self._point(self._waiting)
        self._fragments, self._waiting, self._since = [], [], monotonic()

    def _lacking(self, images: Collection[str]) -> set[str]:
        """Return those of these images that the store did not have, and that were not written since."""
        return self._known_before.lacking(images) - self._written

    def _know(self, new: AbstractSet[str]) -> None:
        self._written |= new
        self.new += len(new)

    def _point(self, results: Sequence[tuple[Entry, str | Rejection]]) -> None:
        rejected = [(entry, result) for entry, result in results if isinstance(result, Rejection)]
        located = [(entry, result) for entry, result in results if not isinstance(result, Rejection)]
        snapshots = self.store.snapshots
        snapshots.add_contents(self.source, located)
        snapshots.add_rejects(self.source, _new_rejections(snapshots, self.source, rejected), self.circumstances)
        self.rejected += len(rejected)


def _new_rejections(
    snapshots: SnapshotStore, source: str, rejected: list[tuple[Entry, Rejection]]
) -> list[tuple[Entry, Rejection]]:
    """Leave out what every run finds again in the same words, so that a locked file adds no row a run."""
    tried = any(is_retried_every_run(rejection.reason) for _, rejection in rejected)
    before = snapshots.rejects(source) if tried else {}
    return [
        (entry, rejection)
        for entry, rejection in rejected
        if not (is_retried_every_run(rejection.reason) and before.get(entry.identity) == rejection)
    ]
