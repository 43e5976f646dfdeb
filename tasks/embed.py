"""Step 5: turn images into features, once for each image and backbone, ever."""

from typing import TYPE_CHECKING

import numpy as np

from configs import schema
from tasks.domain.night import Dataset, Embedded, FeatureSet
from tasks.domain.pixels import limits_of
from tasks.domain.splits import Split
from tasks.reports.progress import progress
from tasks.step import step
from tasks.stores.bucket import read_url
from tasks.stores.datasets import read_manifest
from tasks.stores.features import FeatureStore
from tasks.stores.images import ImageStore
from tasks.stores.ledger import Ledger
from tasks.stores.weights import read_backbone, write_backbone

if TYPE_CHECKING:
    from tasks.modeling.backbone import Backbone

# So many features are kept in one commit: what a crash can cost.
_BATCH = 256


@step
def embed(dataset: Dataset, settings: schema.Settings) -> Embedded:
    """Embed what the store lacks: all images under today's backbone, and the test images under the champion's."""
    from tasks.modeling import backbone

    store, chosen = settings.store.url, settings.backbone
    today = backbone.load(chosen, read_url(chosen.weights) if chosen.is_file else None)
    write_backbone(store, today.fingerprint, today.to_bytes(), today.facts)
    rows = read_manifest(store, dataset.hash)
    computed = _compute(today, [row.image for row in rows], settings)
    champion = Ledger(store).champion()
    if champion is None or champion.backbone == today.fingerprint:
        return Embedded(_named(today), _named(today), computed, len(rows) - computed)
    former = backbone.restore(*read_backbone(store, champion.backbone))
    computed += _compute(former, [row.image for row in rows if row.split is Split.TEST], settings)
    return Embedded(_named(today), _named(former), computed, max(len(rows) - computed, 0))


def _compute(backbone: "Backbone", images: list[str], settings: schema.Settings) -> int:
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


def _keep(store: FeatureStore, batch: list[tuple[str, np.ndarray]]) -> None:
    if batch:
        store.add([image for image, _ in batch], np.stack([vector for _, vector in batch]))
        batch.clear()


def _named(backbone: "Backbone") -> FeatureSet:
    return FeatureSet(backbone.fingerprint, backbone.width)
