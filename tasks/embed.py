"""Step 5: turn images into features, once for each image and backbone, ever."""

from configs import schema
from tasks.domain.night import Dataset, Embedded
from tasks.domain.splits import Split
from tasks.embedding import embed_lacking, feature_set
from tasks.finetuning import join_workers
from tasks.step import step
from tasks.stores.bucket import read_url
from tasks.stores.datasets import read_manifest
from tasks.stores.ledger import Ledger
from tasks.stores.weights import read_backbone, write_backbone


@step
def embed(dataset: Dataset, settings: schema.Settings) -> Embedded:
    """Embed what the store lacks: all images under today's backbone, and the test images under the champion's."""
    from tasks.modeling import backbone

    join_workers(settings)
    store, chosen = settings.store.url, settings.backbone
    today = backbone.load(chosen, read_url(chosen.weights) if chosen.is_file else None)
    write_backbone(store, today.fingerprint, today.to_bytes(), today.facts)
    rows = read_manifest(store, dataset.hash)
    computed = embed_lacking(today, [row.image for row in rows], settings)
    champion = Ledger(store).champion()
    if champion is None or champion.backbone == today.fingerprint:
        return Embedded(feature_set(today), feature_set(today), computed, len(rows) - computed)
    former = backbone.restore(*read_backbone(store, champion.backbone))
    computed += embed_lacking(former, [row.image for row in rows if row.split is Split.TEST], settings)
    return Embedded(feature_set(today), feature_set(former), computed, max(len(rows) - computed, 0))
