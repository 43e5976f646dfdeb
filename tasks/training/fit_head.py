"""Fitting a head to the stored features of a dataset version, in a run and in a reproduction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs import schema
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.images.augmentation import VIEWS
from tasks.domain.training.results import FeatureSet
from tasks.features.backbone_cuts import sample
from tasks.reports.prefect_ui.progress import show_progress
from tasks.stores.store import Store
from tasks.training.block_examples import fits_into_memory, open_block_examples

if TYPE_CHECKING:
    from tasks.modeling.head.training import Examples
    from tasks.stores.tables.features import FeatureStore

Epochs = Sequence[tuple[int, Mapping[str, float]]]
#: The near-duplicate group of each image; an image that is not in it is a group of its own.
Groups = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A head in the store, and how its training went.

    Attributes:
        made: The features that the head takes.
        head: The hash of the head's weights.
        epochs: Metrics by number: one entry for each weight decay that was tried, or for each epoch of a fine-tuning.
        figures: Metrics of the head itself, with its threshold.
    """

    made: FeatureSet
    head: str
    epochs: Epochs
    figures: Mapping[str, float]


def fit(
    rows: Sequence[Row],
    features: FeatureSet,
    settings: schema.Settings,
    store: Store,
    groups: Groups,
    splits: Sequence[Split] = (Split.TRAIN, Split.VALIDATION),
) -> TrainingResult:
    """Train a head, with its weight decay and threshold chosen by cross-validation over groups, and store it.

    Args:
        rows: The dataset version.
        features: The features that the head takes.
        settings: How heads are trained, and how many features are held in memory.
        store: Holds the features, and gets the head under the hash of its weights.
        groups: The near-duplicate groups of the images.
        splits: The splits that are learned from.

    Returns:
        The head and how its training went.
    """
    from tasks.modeling.head.training import build_fit_options, calibrate

    training = settings.training
    chosen = sample_rows([row for row in rows if row.split in splits], training.most)
    classes = sorted({row.label for row in chosen})
    options, steps = build_fit_options(training), list[tuple[int, Mapping[str, float]]]()
    table = store.features(features.fingerprint, features.width)
    with show_progress("train", len(options.strengths), noun="") as advance:

        def on_step(number: int, figures: Mapping[str, float]) -> None:
            steps.append((number, figures))
            advance(1)

        if fits_into_memory(chosen, features.width, training, settings.scale):
            from tasks.modeling.head.training import train_head

            head, held = train_head(classes, read_examples(chosen, classes, table, training, groups), options, on_step)
        else:
            from tasks.modeling.head.block_training import train_head_from_blocks

            with open_block_examples(chosen, classes, table, training, groups) as examples:
                head, held = train_head_from_blocks(classes, examples, options, on_step)
    head, calibration = calibrate(head, held, training.sure_precision)
    store.heads.write(head.name, head.to_bytes())
    best = min((figures for _, figures in steps), key=lambda figures: figures["validation_loss"])
    # MLflow shows the last value of a metric, so the chosen weight decay is written last once more.
    return TrainingResult(features, head.name, [*steps, (len(steps), best)], {**best, **calibration})


def sample_rows(rows: Sequence[Row], most: int) -> Sequence[Row]:
    """Return the images that a head learns from: all, or a fixed sample to which each class contributes by its size.

    Args:
        rows: The images.
        most: About how many images are learned from; 0 takes all.

    Returns:
        The images in their order; of each class the first ones by their hashes.
    """
    if not 0 < most < len(rows):
        return rows
    chosen = {row.image for row in sample(rows, most)}
    return [row for row in rows if row.image in chosen]


def read_groups(store: Store) -> Groups:
    """Return the near-duplicate groups of a store's images, which are written once and stay."""
    assigned = store.splits.stored()
    return dict(zip(assigned.images.to_pylist(), assigned.groups.to_pylist(), strict=True))


def read_examples(
    rows: Sequence[Row], classes: Sequence[str], table: "FeatureStore", training: schema.Training, groups: Groups
) -> "Examples":
    """Read the features of images as they are, followed by the other views of those in the training split.

    Args:
        rows: The images.
        classes: The names of the classes, in the order of their indices.
        table: Holds the features.
        training: Says in which views images are learned from.
        groups: The near-duplicate groups of the images.

    Returns:
        The features, of shape ``(n_images + n_views, width)``, with the class index and the group of each.
    """
    from tasks.modeling.head.training import Examples

    other_views, train = VIEWS[training.views][1:], [row for row in rows if row.split is Split.TRAIN]
    vectors, viewed = table.read([row.image for row in rows]), [*rows, *train * len(other_views)]
    if other_views:
        vectors = np.concatenate([vectors, table.read_views([row.image for row in train], other_views)])
    truth, row_groups = (
        [classes.index(row.label) for row in viewed],
        [groups.get(row.image, row.image) for row in viewed],
    )
    return Examples(vectors, truth, row_groups, len(rows))
