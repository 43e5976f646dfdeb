"""Growth of the training data since the champion, and what cross-validation says about the data that came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from configs.cores import single_threaded_blas
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.evaluation.comparison import Comparison, EvaluationSet, compare
from tasks.domain.evaluation.learning_curves import compute_discriminant_scores, compute_moments
from tasks.domain.evaluation.predictions import Predictions

SettingsRelation = Literal["same", "another backbone", "other"]

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What cheap heads that never saw an image's near-duplicate group say about two dataset versions.

    Attributes:
        comparison: Heads on the challenger's version beside those on the champion's, on the images that both versions
            hold under the same label.
        new: The number of images that are new since the champion, one for each group, of classes that are not new.
        new_right: The share of these that the heads on the challenger's version classify correctly.
        expected: The share to expect where new images of each class are recognised as often as its old ones.
        unlike: The one-sided p value that new images are recognised less often than that.
    """

    comparison: Comparison
    new: int = 0
    new_right: float = 0.0
    expected: float = 0.0
    unlike: float = 1.0


@dataclass(frozen=True, slots=True)
class DataGrowth:
    """The challenger's training data and settings beside those of the champion.

    Attributes:
        learned: The number of the champion's training images.
        kept: How many of these are training images of the challenger too, under the same label.
        more: How many training images of the challenger the champion did not learn from under that label.
        recipe: Whether the settings are those that made the champion, all but the backbone, or others.
        cross_validated: Cheap heads on the data of each; None where they could not be trained.
    """

    learned: int
    kept: int
    more: int
    recipe: SettingsRelation
    cross_validated: CrossValidation | None = None

    @property
    def share(self) -> float:
        """Return the number of training images that came, as a share of the champion's."""
        return self.more / max(self.learned, 1)


@dataclass(frozen=True, slots=True)
class VersionFeatures:
    """The images of one dataset version.

    Attributes:
        images: The name of each image.
        features: Features of shape (n_images, width).
        labels: The class of each image.
        groups: The near-duplicate group of each image.
    """

    images: Sequence[str]
    features: NDArray[np.float32]
    labels: Sequence[str]
    groups: Sequence[str]


def compare_training_data(rows: Sequence[Row], former: Sequence[Row], recipe: SettingsRelation) -> DataGrowth:
    """Count the training images that two models share, and those that came.

    Args:
        rows: The challenger's dataset version.
        former: The champion's, under today's names of its classes.
        recipe: Whether both were made by the same settings.

    Returns:
        The counts, without cross-validation.
    """
    challenger, champion = (VersionRows.of(version).of_split(Split.TRAIN) for version in (rows, former))
    labels = sorted({*challenger.labels(), *champion.labels()})
    places = np.asarray(pc.fill_null(pc.index_in(challenger.images, champion.images), -1), np.int64)
    both = np.flatnonzero(places >= 0)
    alike = challenger.label_codes(labels)[both] == champion.label_codes(labels)[places[both]]
    shared = int(np.count_nonzero(alike))
    return DataGrowth(len(champion), shared, len(challenger) - shared, recipe)


@single_threaded_blas()
def cross_validate(challenger: VersionFeatures, champion: VersionFeatures) -> CrossValidation | None:
    """Compare two dataset versions as training data, and test how well new images fit the old ones.

    Linear discriminants classify each image. They are fitted to four fifths of the near-duplicate groups, never to the
    image's own group, so every image can be tested; these are several times as many as the test split holds. The result
    compares data and features. It says nothing about how the models themselves were trained.

    Args:
        challenger: The challenger's dataset version.
        champion: The champion's, with features from the champion's backbone.

    Returns:
        The comparison and the test of new images; None where no image is in both versions under the same label.
    """
    challenger_labels, champion_labels = (
        dict(zip(version.images, version.labels, strict=True)) for version in (challenger, champion)
    )
    shared = [image for image, label in challenger_labels.items() if champion_labels.get(image) == label]
    if not shared:
        return None
    groups = dict(zip(challenger.images, challenger.groups, strict=True))
    evaluation_set = EvaluationSet(
        [challenger_labels[image] for image in shared], [groups[image] for image in shared], [()] * len(shared)
    )
    predictions = _predict_held_out(challenger)
    comparison = compare(
        _select_predictions(challenger, predictions, shared),
        _select_predictions(champion, _predict_held_out(champion), shared),
        evaluation_set,
    )
    correct = np.array(predictions.labels()) == np.array(challenger.labels)
    return CrossValidation(comparison, *_test_new_images(challenger, correct, set(champion.images), set(shared)))


def _select_predictions(version: VersionFeatures, predictions: Predictions, images: Sequence[str]) -> Predictions:
    positions = {image: number for number, image in enumerate(version.images)}
    return predictions.select(np.array([positions[image] for image in images]))


def _test_new_images(
    version: VersionFeatures, correct: NDArray[np.bool_], former: set[str], shared: set[str]
) -> tuple[int, float, float, float]:
    """Test by class, on one image of each group, whether new images are recognised less often than old ones.

    The test of Mantel and Haenszel, "Statistical aspects of the analysis of data from retrospective studies of
    disease", Journal of the National Cancer Institute 1959, one-sided, with their correction for continuity.

    Args:
        version: The challenger's dataset version.
        correct: Whether the held-out prediction for each image is correct, of shape (n_images,).
        former: The images of the champion's version.
        shared: The images that both versions hold under the same label.

    Returns:
        The number of new images, the share of these that is recognised, the share to expect, and the p value.
    """
    from scipy.special import ndtr

    first = {group: number for number, group in reversed(list(enumerate(version.groups)))}
    representatives = sorted(first.values())
    labels = np.array(version.labels)[representatives]
    new = np.array([version.images[number] not in former for number in representatives])
    old = np.array([version.images[number] in shared for number in representatives])
    old_classes = np.unique(labels[old])
    new_counts, old_counts = (
        _count_by_class(labels[chosen], correct[representatives][chosen], old_classes) for chosen in (new, old)
    )
    together = new_counts + old_counts
    images, share = together[0], together[1] / together[0]
    variance = (new_counts[0] * old_counts[0] * share * (1 - share) / np.maximum(images - 1, 1)).sum()
    number = int(new_counts[0].sum())
    if not variance:
        return number, 1.0, 1.0, 1.0
    excess = (new_counts[1] - new_counts[0] * share).sum()
    expected = float((new_counts[0] * old_counts[1] / old_counts[0]).sum() / number)
    return number, float(new_counts[1].sum() / number), expected, float(ndtr((excess + 0.5) / np.sqrt(variance)))


def _count_by_class(
    labels: NDArray[np.str_], correct: NDArray[np.bool_], classes: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Count the images and the correct predictions of each known class.

    Returns:
        Both counts, of shape (2, n_classes).
    """
    members = labels[None, :] == classes[:, None]
    return np.stack([members.sum(axis=1), (members & correct[None, :]).sum(axis=1)]).astype(np.float64)


def _predict_held_out(version: VersionFeatures) -> Predictions:
    """Predict each image with a discriminant that was fitted to the other folds.

    Returns:
        The predictions for all images, in their order.
    """
    classes, truth = np.unique(version.labels, return_inverse=True)
    fold = np.array([crc32(group.encode()) % _FOLDS for group in version.groups])
    sums = [
        compute_moments(version.features[fold == held_out], truth[fold == held_out].astype(np.int64), len(classes))
        for held_out in range(_FOLDS)
    ]
    logits = np.empty((len(truth), len(classes)))
    for held_out in range(_FOLDS):
        other_sums = [sums[other] for other in range(_FOLDS) if other != held_out]
        logits[fold == held_out] = compute_discriminant_scores(other_sums, version.features[fold == held_out])
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Predictions(tuple(map(str, classes)), (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))
