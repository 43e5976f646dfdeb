"""Fine-tuning in a run: from the images in the store to a new backbone and a new head in the store."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs import schema
from configs.environment import workers
from configs.errors import PedigreeError, SettingsError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.hashing import sha256_of
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.registry.model_record import hash_settings, training_settings
from tasks.domain.training.results import FeatureSet
from tasks.features.embedding import feature_set, join_workers, map_features
from tasks.features.missing_features import embed_missing
from tasks.features.stored_models import keep_backbone, stored_head, trainable_backbone
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
# What the other workers get where there is no checkpoint to resume from.
_NO_CHECKPOINT = -1


@dataclass(frozen=True)
class FineTuningInputs:
    """What a fine-tuning begins with.

    Attributes:
        dataset: The hash of the dataset version.
        backbone: The fingerprint of the backbone.
        head: The hash of a head on that backbone's features.
        recipe: The hash of the settings.
    """

    dataset: str
    backbone: str
    head: str
    recipe: str

    def name(self, settings: schema.Settings) -> str:
        """Name the checkpoints by all that decides them: 64 hex digits."""
        made_by = {name: training_settings(settings)[name] for name in ("images", "training", "fine_tuning")}
        cluster = workers()
        return sha256_of([self.dataset, self.backbone, self.head, made_by, len(cluster[0]) if cluster else 1])


def train_model(
    rows: Sequence[Row], features: FeatureSet, settings: schema.Settings, store: Store, groups: Groups
) -> TrainingResult:
    """Train a head on the stored features, or the backbone's end as well, as the settings say.

    Args:
        rows: The dataset version.
        features: The features of its images, by the backbone that training begins with.
        settings: All of them, since a fine-tuning is named by the hash of them all.
        store: Holds the features and, for a fine-tuning, the images; gets what is trained.
        groups: The near-duplicate groups of the images.

    Returns:
        The trained head, and how its training went.
    """
    if settings.training.method == "fine-tune":
        return fine_tune(rows, features, settings, store, groups)
    return fit(rows, features, settings, store, groups)


def fine_tune(
    rows: Sequence[Row], features: FeatureSet, settings: schema.Settings, store: Store, groups: Groups
) -> TrainingResult:
    """Train a head on the stored features, then the backbone's end together with it, and store those of the best epoch.

    Validation and test images are embedded by the new backbone one by one, as in serving, so that what is evaluated is
    what serves. After a run has died, the next one resumes from its last checkpoint.

    Args:
        rows: The dataset version.
        features: The features of its images, by the backbone that training begins with.
        settings: All of them, since a fine-tuning is named by the hash of them all.
        store: Holds images and features; gets checkpoints, and what is trained.
        groups: The near-duplicate groups of the images.

    Returns:
        The head of the best epoch, and how its training went.

    Raises:
        PedigreeError: The validation split is empty.
    """
    if not any(row.split is Split.VALIDATION for row in rows):
        raise PedigreeError(
            "The validation split holds no image, and fine-tuning chooses its epoch by them: add photographs."
        )
    # Epochs are compared with this first head on the validation images, so it must not learn from them.
    first = fit(rows, features, settings, store, groups, (Split.TRAIN,))
    inputs = FineTuningInputs(dataset_hash(rows), features.fingerprint, first.head, hash_settings(settings))
    checkpoints = store.checkpoints(inputs.name(settings))
    reached = _last_checkpoint(checkpoints)
    _broadcast_inputs(inputs, reached.epoch if reached else _NO_CHECKPOINT)
    epochs = settings.fine_tuning.epochs
    total = _count_images(rows, epochs, 0)
    with show_progress("fine-tune", total, noun="") as advance:
        advance(total - _count_images(rows, epochs, reached.epoch + 1 if reached else 0))
        fine_tuning = _fine_tuning(inputs, rows, settings, store, advance)
        for last in fine_tuning.checkpoints(reached):
            checkpoints.keep(last.epoch, last.to_bytes())
    fitted = _store_fine_tuned(fine_tuning.result(last), last, rows, settings, store, groups)
    checkpoints.clear()
    return fitted


def take_part(settings: schema.Settings) -> str:
    """Compute this worker's share of the fine-tuning that the first worker starts; nothing is written.

    Args:
        settings: All of them, which must be those of the first worker.

    Returns:
        The hash of the dataset version.

    Raises:
        SettingsError: TF_CONFIG names no such worker, or the first worker has other settings.
    """
    from tasks.modeling.fine_tuning.distribution import broadcast

    cluster = workers()
    if not cluster or cluster[1] == 0:
        raise SettingsError("A worker needs TF_CONFIG with an index from 1 on; index 0 is the run itself.")
    store = Store(settings.store.url)
    join_workers(settings.training)
    message = broadcast(_devices(settings.fine_tuning), None)
    epoch = message.pop("epoch")
    inputs = FineTuningInputs(**message)
    if inputs.recipe != hash_settings(settings):
        raise SettingsError("The first worker has other settings: start all workers with the same ones.")
    checkpoints = store.checkpoints(inputs.name(settings))
    last = None if epoch == _NO_CHECKPOINT else _last_checkpoint(checkpoints)
    rows = store.manifests.read(inputs.dataset)
    for _ in _fine_tuning(inputs, rows, settings, store, lambda _images: None).checkpoints(last):
        pass
    return inputs.dataset


def _store_fine_tuned(
    best_model: tuple["Backbone", "Head"],
    last: "Checkpoint",
    rows: Sequence[Row],
    settings: schema.Settings,
    store: Store,
    groups: Groups,
) -> TrainingResult:
    """Store a fine-tuned backbone and its head, calibrated on features that are computed as in serving."""
    from tasks.modeling.backbone.backbone import with_engine
    from tasks.modeling.fine_tuning.train_state import best_epoch
    from tasks.modeling.head.training import HeldOut, calibrate

    trained_backbone, trained = best_model
    backbone = with_engine(trained_backbone, settings.backbone.engine)
    measured = [row.image for row in rows if row.split in {Split.VALIDATION, Split.TEST}]
    keep_backbone(store, backbone, trained_backbone.to_bytes())
    embed_missing(backbone, measured, store, limits_from_settings(settings.images), settings.scale)
    validation = [row for row in rows if row.split is Split.VALIDATION and row.label in trained.classes]
    table = store.features(backbone.fingerprint, backbone.width)
    logits = map_features(table, [row.image for row in validation], trained.logits)
    truth = np.array([trained.classes.index(row.label) for row in validation])
    held = HeldOut(logits, truth, [groups.get(row.image, row.image) for row in validation])
    head, calibration = calibrate(trained, held, settings.training.sure_precision)
    store.heads.write(head.name, head.to_bytes())
    figures = {**best_epoch(last.epochs)[1], **calibration}
    return TrainingResult(feature_set(backbone), head.name, last.epochs, figures)


def _fine_tuning(
    inputs: FineTuningInputs, rows: Sequence[Row], settings: schema.Settings, store: Store, advance: Advance
) -> "FineTuning":
    from tasks.modeling.fine_tuning.fine_tuning import FineTuning, FineTuningData
    from tasks.modeling.fine_tuning.input_pipeline import ImageReader, LabelledImages

    head = stored_head(store, inputs.head)
    backbone = trainable_backbone(store, inputs.backbone)

    def labelled(split: Split) -> LabelledImages:
        # The head does not know a class without a training image.
        chosen = [row for row in rows if row.split is split and row.label in head.classes]
        return LabelledImages([row.image for row in chosen], [head.classes.index(row.label) for row in chosen])

    reader = ImageReader(store.images.read, limits_from_settings(settings.images), backbone.size)
    data = FineTuningData(
        labelled(Split.TRAIN), labelled(Split.VALIDATION), reader, settings.fine_tuning, settings.training
    )
    return FineTuning(backbone, head, data, _devices(settings.fine_tuning), advance)


def _devices(fine_tuning: schema.FineTuning) -> "Devices":
    from tasks.modeling.fine_tuning.distribution import devices_of_this_machine, devices_of_workers

    cluster = workers()
    return devices_of_workers(*cluster) if cluster else devices_of_this_machine(fine_tuning.devices)


def _broadcast_inputs(inputs: FineTuningInputs, epoch: int) -> None:
    from tasks.modeling.fine_tuning.distribution import broadcast, devices_of_workers

    if cluster := workers():
        broadcast(devices_of_workers(*cluster), {**asdict(inputs), "epoch": epoch})


def _last_checkpoint(checkpoints: CheckpointStore) -> "Checkpoint | None":
    """Read the newest checkpoint; a damaged one is removed, and the fine-tuning begins again."""
    from tasks.modeling.fine_tuning.train_state import Checkpoint

    stored = checkpoints.last()
    last = Checkpoint.from_bytes(stored[1]) if stored else None
    if stored and last is None:
        checkpoints.remove(stored[0])
    return last


def _count_images(rows: Sequence[Row], epochs: int, epoch: int) -> int:
    """Count the images that pass through the network from an epoch on; epoch 0 only evaluates the validation split."""
    train, validation = (sum(row.split is split for row in rows) for split in (Split.TRAIN, Split.VALIDATION))
    return (epochs + 1 - epoch) * (train + validation) - (train if epoch == 0 else 0)
