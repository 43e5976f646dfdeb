"""Fitting a model to a dataset version: what a night trains, and what a reproduction trains again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs import schema
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.images.augmentation import VIEWS
from tasks.domain.training.results import FeatureSet
from tasks.reports.prefect_ui.progress import show_progress
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.head.training import Examples

Epochs = Sequence[tuple[int, Mapping[str, float]]]
#: The near-duplicate group of an image; one that no group is known of is its own.
Groups = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A head in the store, the features that it takes, and how its training went.

    ``epochs`` holds one entry for each weight decay that was tried, or for each epoch of a fine-tuning.
    """

    made: FeatureSet
    head: str
    epochs: Epochs
    figures: Mapping[str, float]


def fit(
    rows: Sequence[Row],
    features: FeatureSet,
    settings: schema.Settings,
    groups: Groups,
    splits: Sequence[Split] = (Split.TRAIN, Split.VALIDATION),
) -> TrainingResult:
    """Fit a head to these splits, choose and calibrate it by cross-validation over groups, and keep it by its hash."""
    from tasks.modeling.head.training import build_fit_options, calibrate, train_head

    chosen = [row for row in rows if row.split in splits]
    classes = sorted({row.label for row in chosen})
    recipe, steps = build_fit_options(settings.training), list[tuple[int, Mapping[str, float]]]()
    with show_progress("train", len(recipe.strengths)) as advance:

        def on_step(number: int, figures: Mapping[str, float]) -> None:
            steps.append((number, figures))
            advance(1)

        head, held = train_head(classes, read_examples(chosen, classes, features, settings, groups), recipe, on_step)
    head, calibration = calibrate(head, held, settings.training.sure_precision)
    Store(settings.store.url).heads.write(head.name, head.to_bytes())
    best = min((figures for _, figures in steps), key=lambda figures: figures["validation_loss"])
    # The chosen weight decay stands last, too, since MLflow shows the last value of a metric.
    return TrainingResult(features, head.name, [*steps, (len(steps), best)], {**best, **calibration})


def read_groups(store: str) -> Groups:
    """Read the near-duplicate groups of a store's images, which are written once and stay."""
    return {image: assigned.group for image, assigned in Store(store).splits.stored().items()}


def read_examples(
    rows: Sequence[Row], classes: Sequence[str], features: FeatureSet, settings: schema.Settings, groups: Groups
) -> "Examples":
    """Read the features of images as they are, and after them the other views of those in the training split."""
    from tasks.modeling.head.training import Examples

    table = Store(settings.store.url).features(features.fingerprint, features.width)
    other_views, train = VIEWS[settings.training.views][1:], [row for row in rows if row.split is Split.TRAIN]
    vectors, viewed = table.read([row.image for row in rows]), [*rows, *train * len(other_views)]
    if other_views:
        vectors = np.concatenate([vectors, table.read_views([row.image for row in train], other_views)])
    truth, row_groups = (
        [classes.index(row.label) for row in viewed],
        [groups.get(row.image, row.image) for row in viewed],
    )
    return Examples(vectors, truth, row_groups, len(rows))
