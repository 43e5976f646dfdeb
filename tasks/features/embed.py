"""Step 5: turn images into features, once for each image and backbone, ever."""

from typing import TYPE_CHECKING

from configs import schema
from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.serving_check import excuse_champion_failure
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.phrasing import count
from tasks.domain.training.results import DatasetFeatures
from tasks.features.backbone_cuts import find_choice
from tasks.features.embedding import (
    check_backbone,
    embed_missing,
    feature_set,
    join_workers,
    stored_backbone,
    take_on_trust,
    views_to_embed,
)
from tasks.step import log_line, step
from tasks.stores.objects.object_store import read_url
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone


@step(hours=48)
def embed(dataset: Dataset, settings: schema.Settings) -> DatasetFeatures:
    """Embed what the store lacks: all images under today's backbone, and the test images under the champion's.

    What is learned from is seen in all the views that the settings ask for, all else as it is.
    """
    join_workers(settings)
    store, today = settings.store.url, _current_backbone(settings)
    rows = Store(store).manifests.read(dataset.hash)
    _take_on_trust(store, today)
    computed = embed_missing(today, views_to_embed(rows, settings), settings)
    took = _measure_latency(today, rows[0].image, settings)
    champion, choice = Store(store).ledger.champion(), str(find_choice(settings) or "")
    if champion is None or champion.backbone == today.fingerprint:
        return DatasetFeatures(feature_set(today), feature_set(today), computed, len(rows) - computed, took, choice)
    try:
        former = stored_backbone(store, champion.backbone)
    except PedigreeError as error:
        excuse_champion_failure(error, champion.model_version, settings.gate)
        return DatasetFeatures(feature_set(today), feature_set(today), computed, len(rows) - computed, took, choice)
    _take_on_trust(store, former)
    computed += embed_missing(former, [row.image for row in rows if row.split is Split.TEST], settings)
    return DatasetFeatures(
        feature_set(today), feature_set(former), computed, max(len(rows) - computed, 0), took, choice
    )


def _take_on_trust(store: str, backbone: "Backbone") -> None:
    rows = take_on_trust(Store(store).features(backbone.fingerprint, backbone.width))
    if rows:
        log_line(
            f"{count(rows, 'row')} of features under backbone {backbone.fingerprint[:12]} had no checksum yet, got one "
            "today and are taken on trust; pedigree reproduce MODEL --from-pixels proves them."
        )


def _measure_latency(backbone: "Backbone", image: str, settings: schema.Settings) -> float:
    """Time one image here, where the network is built and traced: to build it again takes longer than to ask it."""
    from tasks.modeling.backbone.embedding import measure_latency

    ((_, data),) = Store(settings.store.url).images.read([image])
    return measure_latency(backbone, image, data, limits_from_settings(settings.images))


def _current_backbone(settings: schema.Settings) -> "Backbone":
    """Take the backbone from the store where it came from outside before, else from where the settings say."""
    from tasks.modeling.backbone.backbone import load_backbone, name_external_weights

    store, chosen = settings.store.url, settings.backbone
    name = name_external_weights(chosen)
    remembered = Store(store).backbones.remembered(name) if name else None
    if remembered:
        return stored_backbone(store, remembered)
    today = load_backbone(chosen, read_url(chosen.weights) if chosen.is_file else None)
    if Store(store).backbones.has(today.fingerprint):
        check_backbone(store, today.fingerprint, today.facts)
    else:
        Store(store).backbones.write(today.fingerprint, today.to_bytes(), today.facts)
    if name:
        came = {"fingerprint": today.fingerprint, "weights": chosen.weights, "sha256": today.origin}
        Store(store).backbones.remember(name, came)
    return today
