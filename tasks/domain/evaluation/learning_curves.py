"""Linear discriminants from sums: heads that cost next to nothing, so that many can be fitted to parts of a whole."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.domain.significance import Floats, percentile_interval, wilson_interval

# So much of the covariance is made a ball's, so that a head of few images does not believe in every direction.
_SHRINKAGE = 0.1

#: Of some images: how many each class has, their features' sums by class, and the products of all their features.
Moments = tuple[Floats, Floats, Floats]


def compute_moments(features: NDArray[np.float32], truth: NDArray[np.int64], classes: int) -> Moments:
    """Sum up images of shape (images, width), whose classes are numbers below ``classes``."""
    exact = features.astype(np.float64)
    of = np.zeros((classes, len(exact)))
    of[truth, np.arange(len(exact))] = 1
    return of.sum(axis=1), of @ exact, exact.T @ exact


def compute_discriminant_scores(learned: Sequence[Moments], features: NDArray[np.float32]) -> Floats:
    """Fit a linear discriminant to sums of images, all classes alike likely, and ask it: (images, classes).

    A score is the logarithm of a probability but for what all classes have in common. The covariance is shrunk as in
    Friedman, "Regularized discriminant analysis", Journal of the American Statistical Association 1989. A class of
    which no image is among the sums is never the answer.
    """
    counts, sums, products = (np.sum([moments[part] for moments in learned], axis=0) for part in range(3))
    means = sums / np.maximum(counts, 1)[:, None]
    within = (products - means.T @ sums) / max(counts.sum() - np.count_nonzero(counts), 1)
    ball = np.eye(len(within)) * max(np.trace(within) / len(within), np.finfo(np.float64).tiny)
    weights = np.linalg.solve((1 - _SHRINKAGE) * within + _SHRINKAGE * ball, means.T)
    scores = features @ weights - (means * weights.T).sum(axis=1) / 2
    return np.where(counts > 0, scores, -np.inf)


#: So many more images of each class are asked about.
MORE = 50
#: Of fewer training images of a class no quarter tells anything.
LEAST = 8
# The fractions are one, two, three quarters and all; each quarter once begins a nesting.
_QUARTERS = 4
# At so many validation images a class's own exponent counts as much as that of all classes: of few it is a wild one.
_LEANING = 30
_ROUNDS = 500
_POWERS = tuple(power / 10 for power in range(1, 11))


@dataclass(frozen=True, slots=True)
class LabelledFeatures:
    """Features of shape (images, main directions), with each image's label and group of near duplicates."""

    features: NDArray[np.float32]
    labels: Sequence[str]
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Recall after each number of training images, and what 50 more of each class would likely bring.

    ``label`` is empty for all classes together, whose recall is the accuracy. ``gain`` is a share, with its 95%
    interval; None for a class of too few images, training or validation, of which nobody can tell.
    """

    label: str
    images: int
    validation: int
    sizes: tuple[int, ...] = ()
    recalls: tuple[float, ...] = ()
    gain: float | None = None
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class LearningCurves:
    """The curve of all known classes together, None where there are none, and each class's own, by name."""

    overall: LearningCurve | None = None
    classes: tuple[LearningCurve, ...] = ()


#: Curves of nothing, of which nothing is told.
NO_CURVES = LearningCurves()


def fit_learning_curves(
    train: LabelledFeatures, validation: LabelledFeatures, images: Mapping[str, int], minimum: int
) -> LearningCurves:
    """Train small heads on nested quarters of the training images, and extrapolate how their errors fall.

    The heads are linear discriminants and not the night's own: how errors fall with images is much the same, and
    thirteen of them take a second. An error falls as c + a * n ** -b, b between 0 and 1 (Cortes, Jackel, Solla, Vapnik
    and Denker, "Learning curves: asymptotic values and rate of convergence", NIPS 1993; Hestness and others, "Deep
    learning scaling is predictable, empirically", 2017), by least squares. Intervals are percentiles of a bootstrap
    over nestings and over the validation split's groups of near duplicates, class by class; of a class without a
    mistake the Wilson bound of its errors. ``images`` are all training
    images of each class, of which ``train`` may hold some; a class with fewer validation images than ``minimum`` is
    unknown.
    """
    counts = Counter(validation.labels)
    classes = [label for label in sorted(images) if images[label] >= LEAST and counts[label] >= max(minimum, 1)]
    unknown = [LearningCurve(label, images[label], counts[label]) for label in images if label not in classes]
    if len(classes) < 2:  # noqa: PLR2004 - one class is told apart from nothing
        return LearningCurves(None, tuple(sorted(unknown, key=lambda curve: curve.label)))
    quarters = _quarters(train)
    wrong, chance = _wrong(train, quarters, validation), np.random.default_rng(0)
    labels = np.array(validation.labels)
    errors = np.stack([_drawn(wrong, labels == label, validation.groups, chance) for label in classes], axis=1)
    held = np.array([[np.sum(quarters[np.array(train.labels) == label] < end) for end in _ends()] for label in classes])
    return _build_curves(classes, errors, held, (images, counts), unknown)


def _ends() -> range:
    return range(1, _QUARTERS + 1)


def _quarters(train: LabelledFeatures) -> NDArray[np.int64]:
    """Deal each class's images into quarters by the names of their groups, which are hashes and hold alike ones."""
    order = np.lexsort((np.array(train.groups), np.array(train.labels)))
    labels = np.array(train.labels)[order]
    starts, sizes = np.unique(labels, return_index=True)[1], np.unique(labels, return_counts=True)[1]
    rank = np.arange(len(labels)) - np.repeat(starts, sizes)
    quarters = np.empty(len(labels), np.int64)
    quarters[order] = rank * _QUARTERS // np.repeat(sizes, sizes)
    return quarters


def _wrong(train: LabelledFeatures, quarters: NDArray[np.int64], validation: LabelledFeatures) -> Floats:
    """Tell where the heads of one, two, three and four quarters are wrong, by the first quarter: (4, images, 4)."""
    labels, truth = np.unique(train.labels, return_inverse=True)
    sums = [
        compute_moments(train.features[quarters == quarter], truth[quarters == quarter], len(labels))
        for quarter in range(4)
    ]
    right = np.searchsorted(labels, validation.labels)
    wrong = np.zeros((_QUARTERS, len(right), _QUARTERS))
    for first in range(_QUARTERS):
        for size in range(1, _QUARTERS):
            used = [sums[(first + more) % _QUARTERS] for more in range(size)]
            wrong[first, :, size - 1] = compute_discriminant_scores(used, validation.features).argmax(axis=1) != right
    wrong[:, :, -1] = compute_discriminant_scores(sums, validation.features).argmax(axis=1) != right
    return wrong


def _drawn(wrong: Floats, chosen: NDArray[np.bool_], groups: Sequence[str], chance: np.random.Generator) -> Floats:
    """Measure a class's errors, and again with its groups and a nesting drawn by chance: (1 + rounds, 4)."""
    places = np.flatnonzero(chosen)
    unit = np.unique(np.array(groups)[places], return_inverse=True)[1]
    sizes = np.bincount(unit)
    of = np.zeros((len(sizes), len(places)))
    of[unit, np.arange(len(places))] = 1
    sums = of @ wrong[:, places]
    times = chance.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), _ROUNDS)
    nesting = chance.integers(0, _QUARTERS, _ROUNDS)
    drawn = np.einsum("ru,rus->rs", times, sums[nesting]) / (times @ sizes)[:, None]
    return np.concatenate([sums.mean(axis=0).sum(axis=0, keepdims=True) / len(places), drawn])


def _build_curves(
    classes: Sequence[str],
    errors: Floats,
    held: NDArray[np.int64],
    numbers: tuple[Mapping[str, int], Mapping[str, int]],
    unknown: Sequence[LearningCurve],
) -> LearningCurves:
    """Put curves together from errors of shape (1 + rounds, classes, 4), the first of them as they were measured."""
    images, validation = (np.array([counts[label] for label in classes]) for counts in numbers)
    gains = _gains(errors, held, images, validation)
    total = (gains * validation).sum(axis=1) / validation.sum()
    low, high = percentile_interval(np.column_stack([gains, total])[1:])
    # Where no image is mistaken a bootstrap draws nothing: errors may be there all the same, and fall at best as 1 / n.
    flawless = np.flatnonzero(errors[0, :, -1] == 0)
    most = wilson_interval(np.zeros(len(classes), np.int64), validation)[1] * MORE / (images + MORE)
    high[flawless] = np.maximum(high[flawless], most[flawless])
    rights = 1 - np.concatenate(
        [errors[0], (errors[0] * validation[:, None]).sum(axis=0, keepdims=True) / validation.sum()]
    )
    sizes = np.concatenate([held, held.sum(axis=0, keepdims=True)])
    names, measured = (*classes, ""), np.append(gains[0], total[0])
    every = (np.append(images, images.sum()), np.append(validation, validation.sum()))
    curves = [
        LearningCurve(
            name,
            int(every[0][row]),
            int(every[1][row]),
            tuple(map(int, sizes[row])),
            tuple(map(float, rights[row])),
            float(measured[row]),
            float(low[row]),
            float(high[row]),
        )
        for row, name in enumerate(names)
    ]
    return LearningCurves(curves[-1], tuple(sorted((*curves[:-1], *unknown), key=lambda curve: curve.label)))


def _gains(errors: Floats, held: NDArray[np.int64], images: NDArray[np.int64], validation: NDArray[np.int64]) -> Floats:
    """Take what the fitted curves say of so many images less what they say of 50 more: (1 + rounds, classes)."""
    together = (errors * validation[:, None]).sum(axis=1) / validation.sum()
    share, power = _fitted(held.mean(axis=0), together)
    sizes = held[None] ** -power[:, None, None]
    centred = sizes - sizes.mean(axis=-1, keepdims=True)
    slope = (centred * errors).sum(axis=-1) / (centred**2).sum(axis=-1)
    before, after = (number ** -power[:, None] for number in (images.astype(np.float64), images + float(MORE)))
    own_gain, common_gain = slope * (before - after), errors.mean(axis=-1) * share[:, None] * (1 - after / before)
    leaning = (validation * own_gain + _LEANING * common_gain) / (validation + _LEANING)
    return np.asarray(np.clip(leaning, 0, errors[..., -1]))


def _fitted(sizes: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Fit c + a * n ** -b to errors of shape (rounds, 4): which share of the mean is a's, and b."""
    fits = []
    for power in _POWERS:
        size = sizes**-power
        centred = size - size.mean()
        slope = np.maximum(errors @ centred / (centred @ centred), 0)
        floor = errors.mean(axis=1) - slope * size.mean()
        slope = np.where(floor < 0, errors @ size / (size @ size), slope)
        miss = errors - np.maximum(floor, 0)[:, None] - slope[:, None] * size
        fits.append(((miss**2).sum(axis=1), slope * size[-1]))
    best = np.argmin([miss for miss, _ in fits], axis=0)
    part = np.stack([amplitude for _, amplitude in fits])[best, np.arange(len(errors))]
    return part / np.maximum(errors.mean(axis=1), np.finfo(np.float64).tiny), np.array(_POWERS)[best]
