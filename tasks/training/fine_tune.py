"""Fine-tuning as a night does it: from the store's images to a new backbone and head in the store."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs import schema
from configs.environment import workers
from configs.errors import PedigreeError, SettingsError
from tasks.domain.datasets.manifest import Row, dataset_hash
from tasks.domain.datasets.splits import Split
from tasks.domain.hashing import sha256_of
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.registry.model_record import hash_settings, training_settings
from tasks.domain.training.results import FeatureSet
from tasks.features.embedding import (
    embed_missing,
    feature_set,
    join_workers,
    read_features,
    stored_backbone,
    stored_head,
)
from tasks.reports.prefect_ui.progress import show_progress
from tasks.stores.files.weights import CheckpointStore
from tasks.stores.store import Store
from tasks.training.fit_head import Groups, TrainingResult, fit

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone
    from tasks.modeling.fine_tuning.distribution import Devices
    from tasks.modeling.fine_tuning.fine_tuning import FineTuning
    from tasks.modeling.fine_tuning.train_state import Checkpoint
    from tasks.modeling.head.head import Head

Advance = Callable[[int], None]
# Told to the other workers where there is no checkpoint to go on from.
_NO_CHECKPOINT = -1


@dataclass(frozen=True)
class FineTuningInputs:
    """What a fine-tuning begins with: a dataset version, a backbone, a head on its features, and a recipe."""

    dataset: str
    backbone: str
    head: str
    recipe: str

    def name(self, settings: schema.Settings) -> str:
        """Name the checkpoints by all that decides them: 64 hex digits."""
        made_by = {name: training_settings(settings)[name] for name in ("images", "training", "fine_tuning")}
        cluster = workers()
        return sha256_of([self.dataset, self.backbone, self.head, made_by, len(cluster[0]) if cluster else 1])


def train_model(rows: Sequence[Row], features: FeatureSet, settings: schema.Settings, groups: Groups) -> TrainingResult:
    """Train as the settings say: a head on the stored features, or the backbone's end as well."""
    return (fine_tune if settings.training.method == "fine-tune" else fit)(rows, features, settings, groups)


def fine_tune(rows: Sequence[Row], features: FeatureSet, settings: schema.Settings, groups: Groups) -> TrainingResult:
    """Train a head on the stored features, then the backbone's end with it, and keep those of the best epoch.

    Validation and test images are embedded under the new backbone one by one, as serving does it, so that what is
    measured is what serves. What was finished when a night died is found in the store and not done again.
    """
    if not any(row.split is Split.VALIDATION for row in rows):
        raise PedigreeError(
            "The validation split holds no image, and fine-tuning chooses its epoch by them: add photographs."
        )
    # What the first head learned from must leave out what it is measured by beside its fine-tuned successors.
    first = fit(rows, features, settings, groups, (Split.TRAIN,))
    inputs = FineTuningInputs(dataset_hash(rows), features.fingerprint, first.head, hash_settings(settings))
    store = Store(settings.store.url).checkpoints(inputs.name(settings))
    reached = _last_checkpoint(store)
    _broadcast_inputs(inputs, reached.epoch if reached else _NO_CHECKPOINT)
    with show_progress("fine-tune", _count_images(rows, settings, 0)) as advance:
        advance(_count_images(rows, settings, 0) - _count_images(rows, settings, reached.epoch + 1 if reached else 0))
        fine_tuning = _fine_tuning(inputs, rows, settings, advance)
        for last in fine_tuning.checkpoints(reached):
            store.keep(last.epoch, last.to_bytes())
    fitted = _store_fine_tuned(fine_tuning.result(last), last, rows, settings, groups)
    store.clear()
    return fitted


def take_part(settings: schema.Settings) -> str:
    """Wait for the first worker's fine-tuning, do this worker's share, write nothing, and return the dataset's hash."""
    from tasks.modeling.fine_tuning.distribution import broadcast

    cluster = workers()
    if not cluster or cluster[1] == 0:
        raise SettingsError("A worker needs TF_CONFIG with an index from 1 on; index 0 is the night itself.")
    join_workers(settings)
    message = broadcast(_devices(settings), None)
    epoch = message.pop("epoch")
    inputs = FineTuningInputs(**message)
    if inputs.recipe != hash_settings(settings):
        raise SettingsError("The first worker has other settings: start all workers with the same ones.")
    store = Store(settings.store.url).checkpoints(inputs.name(settings))
    last = None if epoch == _NO_CHECKPOINT else _last_checkpoint(store)
    rows = Store(settings.store.url).manifests.read(inputs.dataset)
    for _ in _fine_tuning(inputs, rows, settings, lambda _images: None).checkpoints(last):
        pass
    return inputs.dataset


def _store_fine_tuned(
    best_model: tuple["Backbone", "Head"],
    last: "Checkpoint",
    rows: Sequence[Row],
    settings: schema.Settings,
    groups: Groups,
) -> TrainingResult:
    """Keep a fine-tuned backbone and its head, calibrated on features that are made as serving makes them."""
    from tasks.modeling.fine_tuning.train_state import best_epoch
    from tasks.modeling.head.training import HeldOut, calibrate

    backbone, trained = best_model
    store, measured = settings.store.url, [row.image for row in rows if row.split in {Split.VALIDATION, Split.TEST}]
    Store(store).backbones.write(backbone.fingerprint, backbone.to_bytes(), backbone.facts)
    embed_missing(backbone, measured, settings)
    validation = [row for row in rows if row.split is Split.VALIDATION and row.label in trained.classes]
    features = read_features(store, feature_set(backbone), [row.image for row in validation])
    truth = np.array([trained.classes.index(row.label) for row in validation])
    held = HeldOut(trained.logits(features), truth, [groups.get(row.image, row.image) for row in validation])
    head, calibration = calibrate(trained, held, settings.training.sure_precision)
    Store(store).heads.write(head.name, head.to_bytes())
    figures = {**best_epoch(last.epochs)[1], **calibration}
    return TrainingResult(feature_set(backbone), head.name, last.epochs, figures)


def _fine_tuning(
    inputs: FineTuningInputs, rows: Sequence[Row], settings: schema.Settings, advance: Advance
) -> "FineTuning":
    from tasks.modeling.fine_tuning.fine_tuning import FineTuning, FineTuningData
    from tasks.modeling.fine_tuning.input_pipeline import ImageReader, LabelledImages

    store = settings.store.url
    head = stored_head(store, inputs.head)
    backbone = stored_backbone(store, inputs.backbone)

    def labelled(split: Split) -> LabelledImages:
        # A class without a training image is none that the head knows.
        chosen = [row for row in rows if row.split is split and row.label in head.classes]
        return LabelledImages([row.image for row in chosen], [head.classes.index(row.label) for row in chosen])

    reader = ImageReader(Store(store).images.read, limits_from_settings(settings.images), backbone.size)
    data = FineTuningData(labelled(Split.TRAIN), labelled(Split.VALIDATION), reader, settings)
    return FineTuning(backbone, head, data, _devices(settings), advance)


def _devices(settings: schema.Settings) -> "Devices":
    from tasks.modeling.fine_tuning.distribution import devices_of_this_machine, devices_of_workers

    cluster = workers()
    return devices_of_workers(*cluster) if cluster else devices_of_this_machine(settings.fine_tuning.devices)


def _broadcast_inputs(inputs: FineTuningInputs, epoch: int) -> None:
    from tasks.modeling.fine_tuning.distribution import broadcast, devices_of_workers

    if cluster := workers():
        broadcast(devices_of_workers(*cluster), {**asdict(inputs), "epoch": epoch})


def _last_checkpoint(store: CheckpointStore) -> "Checkpoint | None":
    """Read the newest checkpoint; a damaged one is removed, and the fine-tuning begins again."""
    from tasks.modeling.fine_tuning.train_state import Checkpoint

    stored = store.last()
    last = Checkpoint.from_bytes(stored[1]) if stored else None
    if stored and last is None:
        store.remove(stored[0])
    return last


def _count_images(rows: Sequence[Row], settings: schema.Settings, epoch: int) -> int:
    """Count the images that pass through from an epoch on; epoch 0 only measures."""
    train, validation = (sum(row.split is split for row in rows) for split in (Split.TRAIN, Split.VALIDATION))
    epochs_left = settings.fine_tuning.epochs + 1 - epoch
    return epochs_left * (train + validation) - (train if epoch == 0 else 0)
