"""Passing images through a backbone: only what the store lacks, once, and what is finished is kept."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from configs import schema
from configs.load import workers
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.images.augmentation import IDENTITY, VIEWS
from tasks.domain.images.preprocessing import limits_of
from tasks.domain.training.results import FeatureSet
from tasks.reports.prefect_ui.progress import progress
from tasks.stores.files.leases import claimed
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.images import ImageStore

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone

# So many vectors are made in one claim.
_BATCH = 256
# They are kept in one commit, on a slow machine after so many seconds already: what a crash can cost.
_SECONDS = 10.0
#: For each image the views in which it is wanted.
Wanted = Mapping[str, Sequence[str]]


def embed_lacking(backbone: "Backbone", wanted: Sequence[str] | Wanted, settings: schema.Settings) -> int:
    """Embed what the store lacks of these images, and return how many images that were.

    Images come in a sequence, as they are, or with the views that are wanted of each. Of several runs at once one
    embeds a batch while the others wait, and then finds it done.
    """
    from tasks.modeling.backbone.embedding import self_test

    views = wanted if isinstance(wanted, Mapping) else dict.fromkeys(wanted, (IDENTITY,))
    store = FeatureStore(settings.store.url, backbone.fingerprint, backbone.width, backbone.precision)
    lacking = _lacking(store, views)
    if not lacking:
        return 0
    self_test(backbone)
    done = 0
    with progress("embed", len(lacking)) as advance:
        while lacking:
            with claimed(settings.store.url, f"features-{backbone.fingerprint}"):
                before, lacking = len(lacking), _lacking(store, lacking)
                advance(before - len(lacking))
                batch = _first(lacking)
                for _ in _embed(backbone, batch, store, settings):
                    advance(1)
            done += len(batch)
            lacking = {image: lacked for image, lacked in lacking.items() if image not in batch}
    return done


def take_on_trust(store: FeatureStore) -> int:
    """Give the rows that an earlier Pedigree wrote a checksum of what lies there, and return how many these were."""
    if not store.unchecked():
        return 0
    with claimed(store.url, f"features-{store.fingerprint}"):
        return store.add_checksums()


def wanted_views(rows: Sequence[Row], settings: schema.Settings) -> Wanted:
    """See what is learned from in all the views that the settings ask for, all else as it is."""
    learned = VIEWS[settings.training.views]
    return {row.image: learned if row.split is Split.TRAIN else (IDENTITY,) for row in rows}


def feature_set(backbone: "Backbone") -> FeatureSet:
    """Name the features that a backbone makes."""
    return FeatureSet(backbone.fingerprint, backbone.width)


def _lacking(store: FeatureStore, wanted: Wanted) -> dict[str, tuple[str, ...]]:
    """Name the images that lack a view, with the views that they lack."""
    known = store.known_in(sorted({view for views in wanted.values() for view in views}))
    lacking = {image: tuple(view for view in views if image not in known[view]) for image, views in wanted.items()}
    return {image: views for image, views in lacking.items() if views}


def _first(lacking: Wanted) -> dict[str, Sequence[str]]:
    """Choose images for one claim, by the number of vectors that they may become."""
    images = max(1, _BATCH // max(map(len, lacking.values()), default=1))
    return dict(islice(lacking.items(), images))


def _embed(backbone: "Backbone", batch: Wanted, store: FeatureStore, settings: schema.Settings) -> Iterator[None]:
    """Embed and keep a batch; yield after each image."""
    from tasks.modeling.backbone.embedding import embed_views

    images = ((image, data, batch[image]) for image, data in ImageStore(settings.store.url).read(list(batch)))
    made: list[tuple[str, str, np.ndarray]] = []
    kept = monotonic()
    for seen in embed_views(backbone, images, limits_of(settings.images)):
        made += seen
        yield
        if monotonic() - kept > _SECONDS:
            _keep(store, made)
            kept = monotonic()
    _keep(store, made)


def _keep(store: FeatureStore, made: list[tuple[str, str, np.ndarray]]) -> None:
    if made:
        names, views, vectors = zip(*made, strict=True)
        store.add(names, np.stack(vectors), views)
        made.clear()


def join_workers(settings: schema.Settings) -> None:
    """Meet the other workers where TF_CONFIG names some; TensorFlow wants that before it computes anything."""
    if settings.training.method == "fine-tune" and (found := workers()):
        from tasks.modeling.fine_tuning.distribution import devices_of_workers

        devices_of_workers(*found)
