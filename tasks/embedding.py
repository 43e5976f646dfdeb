"""Passing images through a backbone: only those whose features the store lacks, and what is finished is kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from configs import schema
from tasks.domain.night import FeatureSet
from tasks.domain.pixels import limits_of
from tasks.reports.progress import progress
from tasks.stores.features import FeatureStore
from tasks.stores.images import ImageStore

if TYPE_CHECKING:
    from tasks.modeling.backbone import Backbone

# So many features are kept in one commit: what a crash can cost.
_BATCH = 256


def embed_lacking(backbone: "Backbone", images: Sequence[str], settings: schema.Settings) -> int:
    """Embed those of the images that the store lacks, batch by batch, and return how many these were."""
    from tasks.modeling.features import embed as through
    from tasks.modeling.features import self_test

    store = FeatureStore(settings.store.url, backbone.fingerprint, backbone.width)
    known = store.known()
    lacking = [image for image in images if image not in known]
    if not lacking:
        return 0
    self_test(backbone)
    batch: list[tuple[str, np.ndarray]] = []
    with progress("embed", len(lacking)) as advance:
        for found in through(backbone, ImageStore(settings.store.url).read(lacking), limits_of(settings.images)):
            batch.append(found)
            advance(1)
            if len(batch) == _BATCH:
                _keep(store, batch)
        _keep(store, batch)
    return len(lacking)


def feature_set(backbone: "Backbone") -> FeatureSet:
    """Name the features that a backbone makes."""
    return FeatureSet(backbone.fingerprint, backbone.width)


def _keep(store: FeatureStore, batch: list[tuple[str, np.ndarray]]) -> None:
    if batch:
        store.add([image for image, _ in batch], np.stack([vector for _, vector in batch]))
        batch.clear()
