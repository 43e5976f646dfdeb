"""Step 5: turn images into features, once for each image and backbone, ever."""

from typing import TYPE_CHECKING

from configs import schema
from configs.errors import Problem
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.champion_failure import excused
from tasks.domain.images.preprocessing import limits_of
from tasks.domain.phrasing import count
from tasks.domain.training.results import Embedded
from tasks.features.choose_cut import choice_behind
from tasks.features.embedding import embed_lacking, feature_set, join_workers, take_on_trust, wanted_views
from tasks.features.stored_weights import check_backbone, stored_backbone
from tasks.step import say, step
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import read_manifest
from tasks.stores.files.weights import has_backbone, remember_backbone, remembered_backbone, write_backbone
from tasks.stores.objects.object_store import read_url
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.images import ImageStore

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone


@step(hours=48)
def embed(dataset: Dataset, settings: schema.Settings) -> Embedded:
    """Embed what the store lacks: all images under today's backbone, and the test images under the champion's.

    What is learned from is seen in all the views that the settings ask for, all else as it is.
    """
    join_workers(settings)
    store, today = settings.store.url, _today(settings)
    rows = read_manifest(store, dataset.hash)
    _take_on_trust(store, today)
    computed = embed_lacking(today, wanted_views(rows, settings), settings)
    took = _latency(today, rows[0].image, settings)
    champion, choice = Ledger(store).champion(), str(choice_behind(settings) or "")
    if champion is None or champion.backbone == today.fingerprint:
        return Embedded(feature_set(today), feature_set(today), computed, len(rows) - computed, took, choice)
    try:
        former = stored_backbone(store, champion.backbone)
    except Problem as error:
        excused(error, champion.model_version, settings.gate)
        return Embedded(feature_set(today), feature_set(today), computed, len(rows) - computed, took, choice)
    _take_on_trust(store, former)
    computed += embed_lacking(former, [row.image for row in rows if row.split is Split.TEST], settings)
    return Embedded(feature_set(today), feature_set(former), computed, max(len(rows) - computed, 0), took, choice)


def _take_on_trust(store: str, backbone: "Backbone") -> None:
    rows = take_on_trust(FeatureStore(store, backbone.fingerprint, backbone.width))
    if rows:
        say(
            f"{count(rows, 'row')} of features under backbone {backbone.fingerprint[:12]} had no checksum yet, got one "
            "today and are taken on trust; pedigree reproduce MODEL --from-pixels proves them."
        )


def _latency(backbone: "Backbone", image: str, settings: schema.Settings) -> float:
    """Time one image here, where the network is built and traced: to build it again takes longer than to ask it."""
    from tasks.modeling.backbone.embedding import latency

    ((_, data),) = ImageStore(settings.store.url).read([image])
    return latency(backbone, image, data, limits_of(settings.images))


def _today(settings: schema.Settings) -> "Backbone":
    """Take the backbone from the store where it came from outside before, else from where the settings say."""
    from tasks.modeling.backbone.backbone import load, outside

    store, chosen = settings.store.url, settings.backbone
    name = outside(chosen)
    kept = remembered_backbone(store, name) if name else None
    if kept:
        return stored_backbone(store, kept)
    today = load(chosen, read_url(chosen.weights) if chosen.is_file else None)
    if has_backbone(store, today.fingerprint):
        check_backbone(store, today.fingerprint, today.facts)
    else:
        write_backbone(store, today.fingerprint, today.to_bytes(), today.facts)
    if name:
        came = {"fingerprint": today.fingerprint, "weights": chosen.weights, "sha256": today.origin}
        remember_backbone(store, name, came)
    return today
