"""Passing images through a backbone: only what the store lacks, once, and what is finished is kept."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from configs import schema
from configs.environment import workers
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.images.augmentation import IDENTITY, VIEWS
from tasks.domain.images.preprocessing import limits_of
from tasks.domain.training.results import FeatureSet
from tasks.reports.prefect_ui.progress import progress
from tasks.stores.files.leases import hold_lease
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.images import ImageStore

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone

# So many vectors are made in one claim.
_BATCH = 256
# They are kept in one commit, on a slow machine after so many seconds already: what a crash can cost.
_SECONDS = 10.0
#: For each image the views in which it is wanted.
RequestedViews = Mapping[str, Sequence[str]]


def embed_missing(backbone: "Backbone", requested: Sequence[str] | RequestedViews, settings: schema.Settings) -> int:
    """Embed what the store lacks of these images, and return how many images that were.

    Images come in a sequence, as they are, or with the views that are wanted of each. Of several runs at once one
    embeds a batch while the others wait, and then finds it done.
    """
    from tasks.modeling.backbone.embedding import self_test

    views = requested if isinstance(requested, Mapping) else dict.fromkeys(requested, (IDENTITY,))
    store = FeatureStore(settings.store.url, backbone.fingerprint, backbone.width, backbone.precision)
    missing = _missing_views(store, views)
    if not missing:
        return 0
    self_test(backbone)
    done = 0
    with progress("embed", len(missing)) as advance:
        while missing:
            with hold_lease(settings.store.url, f"features-{backbone.fingerprint}"):
                before, missing = len(missing), _missing_views(store, missing)
                advance(before - len(missing))
                batch = _next_batch(missing)
                for _ in _embed_batch(backbone, batch, store, settings):
                    advance(1)
            done += len(batch)
            missing = {image: missing_views for image, missing_views in missing.items() if image not in batch}
    return done


def take_on_trust(store: FeatureStore) -> int:
    """Give the rows that an earlier Pedigree wrote a checksum of what lies there, and return how many these were."""
    if not store.rows_without_checksum():
        return 0
    with hold_lease(store.url, f"features-{store.fingerprint}"):
        return store.add_checksums()


def views_to_embed(rows: Sequence[Row], settings: schema.Settings) -> RequestedViews:
    """See what is learned from in all the views that the settings ask for, all else as it is."""
    learned = VIEWS[settings.training.views]
    return {row.image: learned if row.split is Split.TRAIN else (IDENTITY,) for row in rows}


def feature_set(backbone: "Backbone") -> FeatureSet:
    """Name the features that a backbone makes."""
    return FeatureSet(backbone.fingerprint, backbone.width)


def _missing_views(store: FeatureStore, requested: RequestedViews) -> dict[str, tuple[str, ...]]:
    """Name the images that lack a view, with the views that they lack."""
    stored = store.row_numbers(sorted({view for views in requested.values() for view in views}))
    missing = {image: tuple(view for view in views if image not in stored[view]) for image, views in requested.items()}
    return {image: views for image, views in missing.items() if views}


def _next_batch(missing: RequestedViews) -> dict[str, Sequence[str]]:
    """Choose images for one claim, by the number of vectors that they may become."""
    images = max(1, _BATCH // max(map(len, missing.values()), default=1))
    return dict(islice(missing.items(), images))


def _embed_batch(
    backbone: "Backbone", batch: RequestedViews, store: FeatureStore, settings: schema.Settings
) -> Iterator[None]:
    """Embed and keep a batch; yield after each image."""
    from tasks.modeling.backbone.embedding import embed_views

    images = ((image, data, batch[image]) for image, data in ImageStore(settings.store.url).read(list(batch)))
    features: list[tuple[str, str, np.ndarray]] = []
    stored_at = monotonic()
    for view_features in embed_views(backbone, images, limits_of(settings.images)):
        features += view_features
        yield
        if monotonic() - stored_at > _SECONDS:
            _store_features(store, features)
            stored_at = monotonic()
    _store_features(store, features)


def _store_features(store: FeatureStore, features: list[tuple[str, str, np.ndarray]]) -> None:
    if features:
        names, views, vectors = zip(*features, strict=True)
        store.add(names, np.stack(vectors), views)
        features.clear()


def join_workers(settings: schema.Settings) -> None:
    """Meet the other workers where TF_CONFIG names some; TensorFlow wants that before it computes anything."""
    if settings.training.method == "fine-tune" and (cluster := workers()):
        from tasks.modeling.fine_tuning.distribution import devices_of_workers

        devices_of_workers(*cluster)
