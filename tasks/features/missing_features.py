"""Embedding: each image passes through a backbone once, by one run at a time, and its features are stored."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from configs.sections import Scale
from tasks.domain.images.augmentation import IDENTITY
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.requested_views import RequestedViews
from tasks.engine.engine import open_engine
from tasks.engine.tally import StageClock, local_clock
from tasks.features.embedding_task import EmbeddingTask, LeaseLostError, UncommittedFragments, embed_on_workers
from tasks.features.machine_check import check_machine
from tasks.step import log_line
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone
    from tasks.stores.files.leases import Lease, Leases
    from tasks.stores.tables.features import FeatureStore

# The most vectors, and seconds, between two commits: all that a kill can cost, and 80 MB of 2,048 numbers each.
_VECTORS, _SECONDS = 10_000, 60.0


@dataclass
class Uncommitted:
    """Features that are computed and not stored yet.

    Attributes:
        features: Gets them.
        lease: What allows this run to write them.
        committed: The number of images whose features were stored so far.
    """

    features: "FeatureStore"
    lease: "Lease"
    committed: int = 0
    _vectors: list[tuple[str, str, np.ndarray]] = field(default_factory=list)
    _images: int = 0
    _since: float = field(default_factory=monotonic)

    def add(self, view_vectors: Sequence[tuple[str, str, np.ndarray]]) -> None:
        """Take one image's features, and store what is there once it is enough or old enough."""
        self._vectors += view_vectors
        self._images += 1
        if len(self._vectors) >= _VECTORS or monotonic() - self._since >= _SECONDS:
            self.commit()

    def commit(self) -> None:
        """Store what is there; raise LeaseLostError, and store nothing, where another run has the lease by now."""
        if not self._vectors:
            return
        if not self.lease.is_held():
            raise LeaseLostError
        images, views, vectors = zip(*self._vectors, strict=True)
        self.features.add(images, np.stack(vectors), views)
        self.committed += self._images
        self._vectors, self._images, self._since = [], 0, monotonic()


def embed_missing(
    backbone: "Backbone",
    requested: Sequence[str] | Mapping[str, Sequence[str]],
    store: Store,
    limits: Limits,
    scale: Scale | None = None,
    origin: Store | None = None,
) -> int:
    """Embed those of these images whose features are not stored yet.

    Of several runs at once one embeds while the others wait; these then find the features stored.

    Args:
        backbone: Computes the features; one that is in no store that workers read is used here.
        requested: The images, each as it is; or the views that are requested of each image.
        store: Holds the images, and gets the features.
        limits: The largest and smallest pictures that are decoded.
        scale: Whether this process embeds, or workers do.
        origin: The store that workers read, where they cannot reach the first one: they hand features over.

    Returns:
        The number of images that lacked a view, and that no other run embedded meanwhile.
    """
    from tasks.reports.prefect_ui.progress import show_progress

    views = requested if isinstance(requested, Mapping) else dict.fromkeys(requested, (IDENTITY,))
    features = store.features(backbone.fingerprint, backbone.width, backbone.precision)
    missing = missing_views(features, views)
    if not missing:
        return 0
    check_machine(store, backbone)
    reachable = (origin or store).backbones.has(backbone.fingerprint)
    engine = open_engine(scale if scale and reachable else Scale(), _tell)
    embedded = 0
    with show_progress("embed", len(missing), dashboard=engine.dashboard) as advance:
        while missing:
            with _lease(store.leases, f"features-{backbone.fingerprint}") as lease:
                before, missing = len(missing), missing_views(features, missing)
                advance(before - len(missing))
                uncommitted = UncommittedFragments(features, lease) if engine.remote else Uncommitted(features, lease)
                with suppress(LeaseLostError):
                    if isinstance(uncommitted, UncommittedFragments):
                        task = _task(origin or store, backbone, limits, None if origin else lease)
                        embed_on_workers(engine, task, missing, uncommitted, advance)
                    else:
                        clock = local_clock(advance)
                        for _ in _embed(backbone, missing, store, limits, uncommitted, clock):
                            clock.advance()
                    missing = {}
                embedded += uncommitted.committed
    return embedded


def _task(store: Store, backbone: "Backbone", limits: Limits, lease: "Lease | None") -> EmbeddingTask:
    return EmbeddingTask(
        store.url, backbone.fingerprint, limits, (lease.work, lease.content) if lease is not None else None
    )


def _tell(line: str) -> None:
    """Write a line of the run log; outside of a run there is none."""
    from prefect.exceptions import MissingContextError

    with suppress(MissingContextError):
        log_line(line)


def missing_views(features: "FeatureStore", requested: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the images that lack a view, with the views that they lack.

    Args:
        features: What is stored.
        requested: The views that are wanted of each image.

    Returns:
        The lacking views by image, in the order of the images.
    """
    columns, lacking = RequestedViews.of(requested), dict[str, NDArray[np.bool_]]()
    for view in columns.views():
        rows = columns.rows_with(view)
        # Whoever wants a view of all images, as most do, is spared a copy of their names.
        images = columns.images if len(rows) == len(columns) else columns.images.take(pa.array(rows))
        lacking[view] = np.zeros(len(columns), np.bool_)
        lacking[view][rows] = ~features.contains(images, view)
    return columns.select(lacking)


def _embed(
    backbone: "Backbone",
    missing: Mapping[str, Sequence[str]],
    store: Store,
    limits: Limits,
    uncommitted: Uncommitted,
    clock: StageClock,
) -> Iterator[None]:
    """Embed images and store their features; yield after each image. What fails loses nothing that was computed."""
    from tasks.modeling.backbone.embedding import embed_views

    contents = clock.timed("bucket", store.images.read(list(missing)))
    image_views = ((image, data, missing[image]) for image, data in contents)
    try:
        for view_vectors in embed_views(backbone, image_views, limits, clock.stage):
            uncommitted.add(view_vectors)
            yield
    finally:
        uncommitted.commit()


@contextmanager
def _lease(leases: "Leases", work: str) -> Iterator["Lease"]:
    """Hold the lease on some work, and tell people where that means waiting."""
    with leases.hold_if_free(work) as lease:
        if lease is not None:
            yield lease
            return
    _tell("another run computes these features at the moment: this one waits, and then embeds what still lacks")
    with leases.hold(work) as lease:
        yield lease
