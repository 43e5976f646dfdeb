"""Refit: the model trained again in an empty store, from what its record names, and compared bit for bit."""

from collections.abc import Sequence
from tempfile import TemporaryDirectory

import numpy as np

from configs import schema
from configs.environment import code_version, home
from configs.errors import PedigreeError
from configs.load import parse_settings
from configs.sections import Scale
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.registry.model_record import Record, trained_by_epochs
from tasks.domain.registry.reproduction import (
    Agreement,
    LoadedRecord,
    RefittedHead,
    Reproduction,
    VerifiedImages,
    decide_verdict,
    find_differences,
    measure_agreement,
)
from tasks.domain.training.results import FeatureSet
from tasks.features.embedding import feature_set, predict, views_to_embed
from tasks.features.missing_features import embed_missing
from tasks.features.stored_models import stored_backbone
from tasks.reports.prefect_ui.artifacts import show_reproduction
from tasks.step import step
from tasks.stores.store import Store, copy_backbone, copy_features, copy_images
from tasks.training.fine_tune import train_model
from tasks.training.fit_head import read_groups

# So many features are compared at once.
_BATCH = 4096


@step(hours=48)
def refit(original: LoadedRecord, settings: schema.Store, scale: Scale, from_pixels: bool) -> RefittedHead:  # noqa: FBT001 - the run's own word
    """Train again from the stored features, or from the original bytes alone, and compare what comes out.

    All happens in a store of its own that is deleted afterwards; the one that holds the model is only read.

    Args:
        original: The model's record.
        settings: Where the store is that holds the model.
        scale: Whether this process computes features, or workers do.
        from_pixels: Compute the features again from the images' bytes.

    Returns:
        The new head, and how its predictions agree with the original's.

    Raises:
        PedigreeError: The head was trained in a way that this version no longer has, or something of it is lost.
    """
    record, origin = original.record, Store(settings.url)
    if trained_by_epochs(record):
        raise PedigreeError(
            f"Head {record.head[:12]} was trained in epochs, as this version no longer does, so it cannot be made again"
            f" here: its images and its record are whole, and the code of commit {record.code['git_commit'][:12]} can."
        )
    rows = origin.manifests.read(record.dataset)
    with TemporaryDirectory(dir=home(), prefix="reproduce-") as folder:
        copy, recorded = Store(folder), _settings(record, folder)
        fingerprint = record.features.fingerprint
        copy_backbone(origin, copy, fingerprint)
        copied = from_pixels and scale.engine == "local"
        if copied or recorded.training.method == "fine-tune":
            copy_images(origin, copy, [row.image for row in rows])
        features = (
            _embed(record, rows, recorded.model_copy(update={"scale": scale}), copy, origin)
            if from_pixels
            else _copy(record, rows, origin, copy, recorded.training)
        )
        fitted = train_model(rows, features, recorded, copy, read_groups(origin))
        agreement = _agreement(rows, (origin, record.made, record.head), (copy, fitted.made, fitted.head))
        unequal = _unequal(rows, (origin, record.features), (copy, features)) if from_pixels else 0
    return RefittedHead(fitted.head, agreement, len(rows) if from_pixels else 0, unequal)


def _settings(record: Record, folder: str) -> schema.Settings:
    values = {**record.settings, "source": {"url": folder}, "store": {"url": folder}}
    return parse_settings(
        values, f"The record of head {record.head[:12]}, made by commit {record.code['git_commit'][:12]}"
    )


def _embed(record: Record, rows: Sequence[Row], settings: schema.Settings, store: Store, origin: Store) -> FeatureSet:
    backbone = stored_backbone(store, record.features.fingerprint)
    views, limits = views_to_embed(rows, settings.training), limits_from_settings(settings.images)
    # Workers do not see a folder of this machine: they read the images where these lie.
    embed_missing(backbone, views, store, limits, settings.scale, origin)
    return feature_set(backbone)


def _copy(record: Record, rows: Sequence[Row], origin: Store, target: Store, training: schema.Training) -> FeatureSet:
    features = record.features
    stored, copied = (store.features(features.fingerprint, features.width) for store in (origin, target))
    copy_features(stored, copied, views_to_embed(rows, training))
    return features


def _agreement(
    rows: Sequence[Row], original: tuple[Store, FeatureSet, str], refitted: tuple[Store, FeatureSet, str]
) -> Agreement:
    images = [row.image for row in rows if row.split is Split.TEST]
    return measure_agreement(predict(*original, images).probabilities, predict(*refitted, images).probabilities)


def _unequal(rows: Sequence[Row], stored: tuple[Store, FeatureSet], recomputed: tuple[Store, FeatureSet]) -> int:
    """Count the images whose features came out with other bits than those in the store."""
    before, after = (store.features(features.fingerprint, features.width) for store, features in (stored, recomputed))
    images = [row.image for row in rows]
    parts = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    return sum(int(np.any(before.read(part) != after.read(part), axis=1).sum()) for part in parts)


@step(hours=48)
def compare(original: LoadedRecord, verified: VerifiedImages, refitted: RefittedHead | None = None) -> Reproduction:
    """Compare a model with the one that was made again.

    Args:
        original: The model's record.
        verified: Whether its images are whole.
        refitted: The model made again; None where images are lost.

    Returns:
        The verdict (identical, equal within the tolerance, or different), and why.
    """
    from tasks.modeling.determinism import describe_machine

    record = original.record
    machine = describe_machine(record.settings["backbone"].get("engine", "tensorflow"))
    changed = find_differences({**record.code, **record.machine}, {**code_version(), **machine})
    verdict, reason = decide_verdict(record.head, refitted, changed) if refitted else ("different", verified.lost)
    reproduction = Reproduction(
        verdict, reason, original.model_version, record.dataset, verified.images, record.head, refitted, changed
    )
    show_reproduction(reproduction)
    return reproduction
