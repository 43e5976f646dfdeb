"""The step that turns images into features, once for each image and backbone."""

from typing import TYPE_CHECKING

from configs import schema
from configs.errors import PedigreeError
from configs.sections import Scale
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.serving_check import excuse_champion_failure
from tasks.domain.images.preprocessing import Limits, limits_from_settings
from tasks.domain.phrasing import count
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.features.backbone_cuts import find_choice
from tasks.features.embedding import feature_set, join_workers, views_to_embed
from tasks.features.machine_check import suit_machine
from tasks.features.missing_features import embed_missing
from tasks.features.stored_models import check_backbone, keep_backbone, stored_backbone
from tasks.step import log_line, step
from tasks.stores.objects.object_store import read_url
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone


@step(hours=48)
def embed(dataset: Dataset, settings: schema.Settings) -> DatasetFeatures:
    """Embed what the store lacks: all images by the current backbone, and the test images by the champion's.

    Images of the training split are embedded in all views that the settings ask for, all others as they are.

    Args:
        dataset: The dataset version.
        settings: All of them: store, images, backbone, training and gate each say something here.

    Returns:
        The features of both backbones, how many images were embedded now, and how long one takes.
    """
    store = Store(settings.store.url)
    join_workers(settings.training)
    rows, limits = store.manifests.columns(dataset.hash), limits_from_settings(settings.images)
    backbone = _suited(store, current_backbone(store, settings.backbone), settings.scale)
    current = feature_set(backbone)
    _take_on_trust(store, current)
    computed = embed_missing(backbone, views_to_embed(rows, settings.training), store, limits, settings.scale)
    latency = _measure_latency(backbone, rows[0].image, store, limits)
    champion, choice = store.ledger.champion(), str(find_choice(store, settings.backbone) or "")
    if champion is None or champion.backbone == current.fingerprint:
        return DatasetFeatures(current, current, computed, len(rows) - computed, latency, choice)
    try:
        stored = stored_backbone(store, champion.backbone)
    except PedigreeError as error:
        excuse_champion_failure(error, champion.model_version, settings.gate)
        return DatasetFeatures(current, current, computed, len(rows) - computed, latency, choice)
    champion_backbone = _suited(store, stored, settings.scale)
    former = feature_set(champion_backbone)
    _take_on_trust(store, former)
    tested: list[str] = rows.of_split(Split.TEST).images.to_pylist()
    computed += embed_missing(champion_backbone, tested, store, limits, settings.scale)
    reused = max(len(rows) - computed, 0)
    return DatasetFeatures(current, former, computed, reused, latency, choice, champion.backbone)


def _suited(store: Store, backbone: "Backbone", scale: Scale) -> "Backbone":
    """Return the backbone whose features this machine may compute, and keep it where its fingerprint is new."""
    suited = suit_machine(store, backbone, scale.unlike)
    if suited.fingerprint != backbone.fingerprint and not store.backbones.has(suited.fingerprint):
        keep_backbone(store, suited, store.backbones.read_weights(backbone.fingerprint))
    return suited


def _take_on_trust(store: Store, features: FeatureSet) -> None:
    """Write the checksums that rows of an earlier Pedigree lack, of what lies there now, and say so."""
    table = store.features(features.fingerprint, features.width)
    if not table.rows_without_checksum():
        return
    with store.leases.hold(f"features-{features.fingerprint}"):
        rows = table.add_checksums()
    if rows:
        log_line(
            f"{count(rows, 'row')} of features under backbone {features.fingerprint[:12]} had no checksum yet, got one "
            "today and are taken on trust; pedigree reproduce MODEL --from-pixels proves them."
        )


def _measure_latency(backbone: "Backbone", image: str, store: Store, limits: Limits) -> float:
    """Time one image here, where the network is traced already: building it again would take longer than asking it."""
    from tasks.modeling.backbone.embedding import measure_latency

    ((_, data),) = store.images.read([image])
    return measure_latency(backbone, image, data, limits)


def current_backbone(store: Store, backbone: schema.Backbone) -> "Backbone":
    """Return the backbone of the settings, and keep it in the store.

    Args:
        store: Holds the backbones of earlier runs; one whose weights came from outside is not fetched again.
        backbone: Names the weights, the cut, the picture's size and the engine.

    Returns:
        The backbone, ready to embed.
    """
    from tasks.modeling.backbone.backbone import with_engine
    from tasks.modeling.backbone.loading import load_backbone, name_remembered_weights

    name = name_remembered_weights(backbone)
    remembered = store.backbones.remembered(name) if name else None
    if remembered:
        return stored_backbone(store, remembered)
    on_tensorflow = load_backbone(backbone, read_url(backbone.weights) if backbone.is_file else None)
    loaded = with_engine(on_tensorflow, backbone.engine)
    if store.backbones.has(loaded.fingerprint):
        check_backbone(store, loaded.fingerprint, loaded.facts)
    else:
        keep_backbone(store, loaded, on_tensorflow.to_bytes())
    if name:
        origin = {"fingerprint": loaded.fingerprint, "weights": backbone.weights, "sha256": loaded.origin}
        store.backbones.remember(name, origin)
    return loaded


def check_weights(store: Store, backbone: schema.Backbone) -> None:
    """Check that a weights file is the one that the settings mean, unless the store keeps its backbone.

    Args:
        store: Where backbones are kept.
        backbone: Which weights, cut, size, precision and engine.

    Raises:
        PedigreeError: The file cannot be read, or has another SHA-256.
    """
    from tasks.modeling.backbone.loading import check_weights_file, name_remembered_weights

    name = name_remembered_weights(backbone)
    if backbone.is_file and not (name and store.backbones.remembered(name)):
        check_weights_file(backbone, read_url(backbone.weights))
