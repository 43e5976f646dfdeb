"""Embedding on many workers: each reads images from the store and writes features there, and one process commits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.decoding.decoder import check_decoders
from tasks.domain.images.preprocessing import Limits, decoder_versions
from tasks.engine.engine import Engine, ReportProgress
from tasks.engine.tally import Advance, StageClock, Tally
from tasks.features.machine_check import check_machine
from tasks.features.stored_models import stored_backbone
from tasks.stores.files.leases import Lease
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone
    from tasks.stores.tables.features import FeatureStore

# The most vectors, and seconds, between two commits: all that a killed run can cost.
_VECTORS, _SECONDS = 10_000, 60.0
_lock = Lock()

#: An image, its row in the table of images, and the views that are wanted of it.
RequestedImage = tuple[str, int, Sequence[str]]


class LeaseLostError(Exception):
    """Another run has taken the work over, since this one gave no sign of life for minutes."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a worker made of a part of the images.

    Attributes:
        images: How many they are.
        vectors: How many features that are.
        fragments: What commits them, where the worker wrote them.
        rows: Images, views and vectors, where it was to hand them over.
        lost: Whether it wrote nothing, since the run that asked no longer holds its lease.
    """

    images: int
    vectors: int
    fragments: tuple[str, ...] = ()
    rows: tuple[list[str], list[str], NDArray[np.float32]] | None = None
    lost: bool = False


@dataclass(frozen=True)
class EmbeddingTask:
    """Computes features of stored images.

    Attributes:
        store: Address of the store that holds images and backbone.
        fingerprint: The backbone.
        limits: The largest and smallest pictures that are decoded.
        lease: The run's lease, its work and its content; None where features are handed over, not written.
        decoders: What decodes where the run is, with versions.
    """

    store: str
    fingerprint: str
    limits: Limits
    lease: tuple[str, bytes] | None
    decoders: str = field(default_factory=decoder_versions)

    def prepare(self) -> None:
        """Check that images can be read here, and that this machine gives the bits of the store's features."""
        check_decoders(self.decoders)
        store = Store(self.store)
        store.objects.check()
        store.check_format()
        check_machine(store, _backbone(self.store, self.fingerprint))

    def __call__(self, part: Sequence[RequestedImage], report: ReportProgress) -> Embedded:
        """Compute features, and write them beside the table unless they are to be handed over.

        Args:
            part: The images.
            report: Takes how many are done.

        Returns:
            What the run needs to commit them.
        """
        from tasks.modeling.backbone.embedding import embed_views

        store, clock = Store(self.store), StageClock(report)
        backbone, views = _backbone(self.store, self.fingerprint), {image: views for image, _, views in part}
        contents = clock.timed("bucket", store.images.read_rows({image: row for image, row, _ in part}))
        images, view_names, vectors = list[str](), list[str](), list[np.ndarray]()
        requests = ((image, data, views[image]) for image, data in contents)
        for view_vectors in embed_views(backbone, requests, self.limits, clock.stage):
            for image, view, vector in view_vectors:
                images.append(image)
                view_names.append(view)
                vectors.append(vector)
            clock.advance()
        return self._handed_in(store, backbone, (images, view_names, np.stack(vectors)), len(part))

    def _handed_in(
        self, store: Store, backbone: "Backbone", rows: tuple[list[str], list[str], NDArray[np.float32]], images: int
    ) -> Embedded:
        if self.lease is None:
            return Embedded(images, len(rows[0]), rows=rows)
        if not Lease(store.objects, *self.lease).is_held():
            return Embedded(images, 0, lost=True)
        table = store.features(backbone.fingerprint, backbone.width, backbone.precision)
        names, views, vectors = rows
        return Embedded(images, len(names), tuple(table.write_fragments(names, vectors, views)))


@dataclass
class UncommittedFragments:
    """What workers have written, or handed over, and no version of the table names yet.

    Attributes:
        features: Gets them.
        lease: What allows this run to commit.
        committed: The number of images whose features were committed so far.
    """

    features: "FeatureStore"
    lease: Lease
    committed: int = 0
    _answers: list[Embedded] = field(default_factory=list)
    _since: float = field(default_factory=monotonic)

    def add(self, embedded: Embedded) -> None:
        """Take an answer, and commit what is there once it is enough or old enough."""
        if embedded.lost:
            raise LeaseLostError
        self._answers.append(embedded)
        if sum(answer.vectors for answer in self._answers) >= _VECTORS or monotonic() - self._since >= _SECONDS:
            self.commit()

    def commit(self) -> None:
        """Commit what is there; raise LeaseLostError, and commit nothing, where another run has the lease by now."""
        if not self._answers:
            return
        if not self.lease.is_held():
            raise LeaseLostError
        self.features.commit_fragments([text for answer in self._answers for text in answer.fragments])
        for answer in self._answers:
            if answer.rows:
                images, views, vectors = answer.rows
                self.features.add(images, vectors, views)
        self.committed += sum(answer.images for answer in self._answers)
        self._answers, self._since = [], monotonic()


def embed_on_workers(
    engine: Engine,
    task: EmbeddingTask,
    missing: Mapping[str, Sequence[str]],
    uncommitted: UncommittedFragments,
    advance: Advance,
) -> None:
    """Have workers embed images, and commit what they write. What fails loses nothing that was computed.

    Args:
        engine: Has the workers.
        task: What they do.
        missing: The images, each with the views that are wanted of it.
        uncommitted: Gets what they answer.
        advance: Shows how many images are done.
    """
    size, rows = engine.divide(len(missing)), Store(task.store).images.row_numbers(list(missing))
    requests = ((image, row, views) for row, (image, views) in zip(rows, missing.items(), strict=True))
    try:
        for _, embedded in engine.map(task, _parts(requests, size), Tally(advance)):
            uncommitted.add(embedded)
    finally:
        uncommitted.commit()


def _parts(requests: Iterator[RequestedImage], size: int) -> Iterator[Sequence[RequestedImage]]:
    while part := tuple(islice(requests, size)):
        yield part


def _backbone(store: str, fingerprint: str) -> "Backbone":
    """Return a backbone that this process keeps: building it takes longer than embedding a hundred images."""
    with _lock:
        return _kept_backbone(store, fingerprint)


@lru_cache(maxsize=2)
def _kept_backbone(store: str, fingerprint: str) -> "Backbone":
    return stored_backbone(Store(store), fingerprint)
