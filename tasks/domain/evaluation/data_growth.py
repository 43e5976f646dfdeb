"""What the challenger learned from beyond its champion, and what cross-validation says of these data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.comparison import Comparison, Exam, compare
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.linear_discriminant import moments, scores

Recipe = Literal["same", "another backbone", "other"]

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """What cheap heads that never saw an image's near-duplicate group say of two dataset versions.

    Attributes:
        comparison: Heads on the challenger's version beside those on the champion's, on the images that both versions
            hold under the same label.
        new: Images that are new since the champion, one a group, of classes that are not.
        new_right: The share of these that the heads on the challenger's version put under their label.
        expected: That share where new images of each class are recognised as often as its old ones.
        unlike: The one-sided p value that new images are recognised less often than that.
    """

    comparison: Comparison
    new: int = 0
    new_right: float = 0.0
    expected: float = 0.0
    unlike: float = 1.0


@dataclass(frozen=True, slots=True)
class Growth:
    """The challenger's training data and recipe beside those of the champion.

    Attributes:
        learned: Training images of the champion.
        kept: Of these, the ones that the challenger learned from too, under the same label.
        more: Training images of the challenger that the champion did not learn from under that label.
        recipe: Whether the settings are those that made the champion, all but the backbone, or others.
        cross_validated: Cheap heads on the data of each; None where they could not be trained.
    """

    learned: int
    kept: int
    more: int
    recipe: Recipe
    cross_validated: CrossValidated | None = None

    @property
    def share(self) -> float:
        """Tell how many training images came, as a share of the champion's."""
        return self.more / max(self.learned, 1)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Images of one dataset version: their names, features (n_images, width), labels, and near-duplicate groups."""

    images: Sequence[str]
    features: NDArray[np.float32]
    labels: Sequence[str]
    groups: Sequence[str]


def growth(rows: Sequence[Row], former: Sequence[Row], recipe: Recipe) -> Growth:
    """Compare what two models learned from.

    Args:
        rows: The challenger's dataset version.
        former: The champion's, under today's names of its classes.
        recipe: Whether both were made by the same settings.
    """
    ours, theirs = ({(row.image, row.label) for row in some if row.split is Split.TRAIN} for some in (rows, former))
    return Growth(len(theirs), len(theirs & ours), len(ours - theirs), recipe)


def cross_validate(challenger: Labelled, champion: Labelled) -> CrossValidated | None:
    """Compare what two dataset versions teach, and how well new images fit to old ones.

    Each image is answered by linear discriminants that learned from four fifths of the groups, never from its own
    group. So all images are tested, which are several times as many as the test split holds. This compares data and
    features; it knows nothing of how the models were trained. None where no image is in both under the same label.
    """
    ours, theirs = (dict(zip(one.images, one.labels, strict=True)) for one in (challenger, champion))
    both = [image for image, label in ours.items() if theirs.get(image) == label]
    if not both:
        return None
    groups = dict(zip(challenger.images, challenger.groups, strict=True))
    exam = Exam([ours[image] for image in both], [groups[image] for image in both], [()] * len(both))
    answers = _answers(challenger)
    found = compare(_of(challenger, answers, both), _of(champion, _answers(champion), both), exam)
    right = np.array(answers.labels()) == np.array(challenger.labels)
    return CrossValidated(found, *_fit_of_new(challenger, right, set(champion.images), set(both)))


def _of(learned: Labelled, found: Predictions, images: Sequence[str]) -> Predictions:
    place = {image: number for number, image in enumerate(learned.images)}
    return found.of(np.array([place[image] for image in images]))


def _fit_of_new(
    learned: Labelled, right: NDArray[np.bool_], former: set[str], both: set[str]
) -> tuple[int, float, float, float]:
    """Compare by class how often new images and old ones are recognised, one image a group.

    The test of Mantel and Haenszel, "Statistical aspects of the analysis of data from retrospective studies of
    disease", Journal of the National Cancer Institute 1959, one-sided, with their correction for continuity.
    """
    from scipy.special import ndtr

    first = {group: number for number, group in reversed(list(enumerate(learned.groups)))}
    some = sorted(first.values())
    labels = np.array(learned.labels)[some]
    new = np.array([learned.images[number] not in former for number in some])
    old = np.array([learned.images[number] in both for number in some])
    known = np.unique(labels[old])
    ours, theirs = (_counts(labels[one], right[some][one], known) for one in (new, old))
    together = ours + theirs
    images, share = together[0], together[1] / together[0]
    variance = (ours[0] * theirs[0] * share * (1 - share) / np.maximum(images - 1, 1)).sum()
    number = int(ours[0].sum())
    if not variance:
        return number, 1.0, 1.0, 1.0
    excess = (ours[1] - ours[0] * share).sum()
    expected = float((ours[0] * theirs[1] / theirs[0]).sum() / number)
    return number, float(ours[1].sum() / number), expected, float(ndtr((excess + 0.5) / np.sqrt(variance)))


def _counts(labels: NDArray[np.str_], right: NDArray[np.bool_], known: NDArray[np.str_]) -> NDArray[np.float64]:
    """Count images and right answers of each known class: (2, classes)."""
    of = labels[None, :] == known[:, None]
    return np.stack([of.sum(axis=1), (of & right[None, :]).sum(axis=1)]).astype(np.float64)


def _answers(learned: Labelled) -> Predictions:
    """Let heads that learned from the other folds answer all images, each once."""
    classes, truth = np.unique(learned.labels, return_inverse=True)
    fold = np.array([crc32(group.encode()) % _FOLDS for group in learned.groups])
    sums = [
        moments(learned.features[fold == one], truth[fold == one].astype(np.int64), len(classes))
        for one in range(_FOLDS)
    ]
    found = np.empty((len(truth), len(classes)))
    for one in range(_FOLDS):
        others = [sums[other] for other in range(_FOLDS) if other != one]
        found[fold == one] = scores(others, learned.features[fold == one])
    powers = np.exp(found - found.max(axis=1, keepdims=True))
    return Predictions(tuple(map(str, classes)), (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))
