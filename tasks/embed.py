"""Step 6: turn images into features, once for each image and backbone, ever."""

from collections.abc import Sequence

from configs import schema
from tasks.domain.night import Dataset, Embedded
from tasks.domain.pixels import Limits
from tasks.reports.progress import progress
from tasks.step import step
from tasks.stores.backbones import write_backbone
from tasks.stores.bucket import read_url
from tasks.stores.datasets import read_manifest
from tasks.stores.features import FeatureStore
from tasks.stores.images import ImageStore

_BUILT_IN = ("imagenet", "demo", "random")


@step
def embed(dataset: Dataset, settings: schema.Settings) -> Embedded:
    """Embed the images whose features the store lacks under this backbone, keeping them batch by batch."""
    from tasks.modeling.backbone import load  # noqa: PLC0415  - TensorFlow takes seconds to import

    store, weights = settings.store.url, settings.backbone.weights
    backbone = load(settings.backbone, None if weights in _BUILT_IN else read_url(weights))
    write_backbone(store, backbone.fingerprint, backbone.to_bytes(), backbone.facts())
    images = [row.image for row in read_manifest(store, dataset.hash)]
    features = FeatureStore(store, backbone.fingerprint)
    known = features.known()
    lacking = [image for image in images if image not in known]
    compute(backbone, lacking, settings)
    return Embedded(backbone.fingerprint, computed=len(lacking), reused=len(images) - len(lacking))
