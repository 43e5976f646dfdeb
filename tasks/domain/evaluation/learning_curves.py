"""Learning curves: how errors fall with more training images, estimated with cheap linear discriminants."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.domain.significance import Floats, percentile_interval, wilson_interval

# The weight of the identity in the shrunk covariance, so that few images do not decide every direction.
_SHRINKAGE = 0.1

#: The images of each class (n_classes,), their summed features (n_classes, width), and the sum of all outer products
#: of features (width, width).
Moments = tuple[Floats, Floats, Floats]
#: The number of additional images of each class whose gain is estimated.
MORE = 50
#: A class with fewer training images is too small to be divided into quarters.
LEAST = 8
# Heads learn from one, two, three and four quarters; each quarter is once the first of a nesting.
_QUARTERS = 4
# With this many validation images a class's own gain weighs as much as the common one; with few it is too noisy.
_PRIOR_IMAGES = 30
_ROUNDS = 500
_POWERS = tuple(power / 10 for power in range(1, 11))


def compute_moments(features: NDArray[np.float32], truth: NDArray[np.int64], classes: int) -> Moments:
    """Sum up images, so that a discriminant can be fitted to any union of them.

    Args:
        features: Features of shape (n_images, width).
        truth: The index of each image's class, of shape (n_images,).
        classes: The number of classes.

    Returns:
        Counts, sums and products.
    """
    exact = features.astype(np.float64)
    one_hot = np.zeros((classes, len(exact)))
    one_hot[truth, np.arange(len(exact))] = 1
    return one_hot.sum(axis=1), one_hot @ exact, exact.T @ exact


def compute_discriminant_scores(learned: Sequence[Moments], features: NDArray[np.float32]) -> Floats:
    """Fit a linear discriminant with equal class priors to summed images, and score other images with it.

    The covariance is shrunk as in Friedman, "Regularized discriminant analysis", Journal of the American Statistical
    Association 1989.

    Args:
        learned: The sums of the training images, in parts.
        features: Features of the images to score, of shape (n_images, width).

    Returns:
        Scores of shape (n_images, n_classes): log probabilities up to a constant for each image. A class without a
        training image scores minus infinity.
    """
    counts, sums, products = (np.sum([moments[part] for moments in learned], axis=0) for part in range(3))
    means = sums / np.maximum(counts, 1)[:, None]
    within = (products - means.T @ sums) / max(counts.sum() - np.count_nonzero(counts), 1)
    identity = np.eye(len(within)) * max(np.trace(within) / len(within), np.finfo(np.float64).tiny)
    weights = np.linalg.solve((1 - _SHRINKAGE) * within + _SHRINKAGE * identity, means.T)
    scores = features @ weights - (means * weights.T).sum(axis=1) / 2
    return np.where(counts > 0, scores, -np.inf)


@dataclass(frozen=True, slots=True)
class LabelledFeatures:
    """Reduced features of images with their labels.

    Attributes:
        features: Principal components of the features, of shape (n_images, n_components).
        labels: The class of each image.
        groups: The near-duplicate group of each image.
    """

    features: NDArray[np.float32]
    labels: Sequence[str]
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Recall by the number of training images, and the likely gain from 50 more images of each class.

    Attributes:
        label: The class; empty for all classes together, whose recall is the accuracy.
        images: The number of training images.
        validation: The number of validation images.
        sizes: The training images at each point of the curve.
        recalls: The recall at each point.
        gain: The likely gain in recall; None where the class has too few images to tell.
        low: The lower end of the gain's 95% interval.
        high: Its upper end.
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
    """The learning curves of all known classes together, if there are any, and of each class, sorted by name."""

    overall: LearningCurve | None = None
    classes: tuple[LearningCurve, ...] = ()


#: Curves of nothing, of which nothing is told.
NO_CURVES = LearningCurves()


def fit_learning_curves(
    train: LabelledFeatures, validation: LabelledFeatures, images: Mapping[str, int], minimum: int
) -> LearningCurves:
    """Fit small heads to nested quarters of the training images, and extrapolate how their errors fall.

    The heads are linear discriminants instead of the run's own head: their errors fall with images in much the same
    way, and thirteen of them take a second. An error falls as c + a * n ** -b, b between 0 and 1 (Cortes, Jackel,
    Solla, Vapnik and Denker, "Learning curves: asymptotic values and rate of convergence", NIPS 1993; Hestness and
    others, "Deep learning scaling is predictable, empirically", 2017), fitted by least squares. Intervals are
    percentiles of a bootstrap over nestings and over near-duplicate groups of validation images, class by class; for a
    class without an error the Wilson bound of its error counts.

    Args:
        train: Training images, all or some of them.
        validation: Validation images.
        images: The number of all training images of each class.
        minimum: A class with fewer validation images counts as unknown.

    Returns:
        A curve for each class and one for all known classes; only unknown ones where fewer than two classes are known.
    """
    counts = Counter(validation.labels)
    classes = [label for label in sorted(images) if images[label] >= LEAST and counts[label] >= max(minimum, 1)]
    unknown = [LearningCurve(label, images[label], counts[label]) for label in images if label not in classes]
    if len(classes) < 2:  # noqa: PLR2004 - one class is told apart from nothing
        return LearningCurves(None, tuple(sorted(unknown, key=lambda curve: curve.label)))
    quarters = _assign_quarters(train)
    wrong, chance = _find_errors(train, quarters, validation), np.random.default_rng(0)
    labels = np.array(validation.labels)
    errors = np.stack(
        [_bootstrap_errors(wrong, labels == label, validation.groups, chance) for label in classes], axis=1
    )
    ends = range(1, _QUARTERS + 1)
    quarter_sizes = np.array(
        [[np.sum(quarters[np.array(train.labels) == label] < end) for end in ends] for label in classes]
    )
    return _build_curves(classes, errors, quarter_sizes, (images, counts), unknown)


def _assign_quarters(train: LabelledFeatures) -> NDArray[np.int64]:
    """Return a quarter for each image; each class is divided in the order of its groups, which are hashes."""
    order = np.lexsort((np.array(train.groups), np.array(train.labels)))
    labels = np.array(train.labels)[order]
    starts, sizes = np.unique(labels, return_index=True)[1], np.unique(labels, return_counts=True)[1]
    rank = np.arange(len(labels)) - np.repeat(starts, sizes)
    quarters = np.empty(len(labels), np.int64)
    quarters[order] = rank * _QUARTERS // np.repeat(sizes, sizes)
    return quarters


def _find_errors(train: LabelledFeatures, quarters: NDArray[np.int64], validation: LabelledFeatures) -> Floats:
    """Find the validation images that heads of one, two, three and four quarters predict wrongly.

    Returns:
        Errors as 0 and 1, of shape (first quarter, n_validation, number of quarters).
    """
    labels, truth = np.unique(train.labels, return_inverse=True)
    sums = [
        compute_moments(train.features[quarters == quarter], truth[quarters == quarter], len(labels))
        for quarter in range(_QUARTERS)
    ]
    right = np.searchsorted(labels, validation.labels)
    wrong = np.zeros((_QUARTERS, len(right), _QUARTERS))
    for first in range(_QUARTERS):
        for size in range(1, _QUARTERS):
            used = [sums[(first + more) % _QUARTERS] for more in range(size)]
            wrong[first, :, size - 1] = compute_discriminant_scores(used, validation.features).argmax(axis=1) != right
    wrong[:, :, -1] = compute_discriminant_scores(sums, validation.features).argmax(axis=1) != right
    return wrong


def _bootstrap_errors(
    wrong: Floats, of_class: NDArray[np.bool_], groups: Sequence[str], chance: np.random.Generator
) -> Floats:
    """Compute the error rates of a class, then again with its groups and a nesting drawn at random.

    Returns:
        Error rates of shape (1 + n_rounds, 4).
    """
    members = np.flatnonzero(of_class)
    unit = np.unique(np.array(groups)[members], return_inverse=True)[1]
    sizes = np.bincount(unit)
    membership = np.zeros((len(sizes), len(members)))
    membership[unit, np.arange(len(members))] = 1
    sums = membership @ wrong[:, members]
    times = chance.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), _ROUNDS)
    nesting = chance.integers(0, _QUARTERS, _ROUNDS)
    drawn = np.einsum("ru,rus->rs", times, sums[nesting]) / (times @ sizes)[:, None]
    return np.concatenate([sums.mean(axis=0).sum(axis=0, keepdims=True) / len(members), drawn])


def _build_curves(
    classes: Sequence[str],
    errors: Floats,
    quarter_sizes: NDArray[np.int64],
    numbers: tuple[Mapping[str, int], Mapping[str, int]],
    unknown: Sequence[LearningCurve],
) -> LearningCurves:
    """Build the curves of known and unknown classes.

    Args:
        classes: The known classes.
        errors: Error rates of shape (1 + n_rounds, n_classes, 4), the measured ones first.
        quarter_sizes: The training images in one to four quarters, of shape (n_classes, 4).
        numbers: The number of training and of validation images of each class.
        unknown: The curves of the unknown classes.

    Returns:
        All curves.
    """
    images, validation = (np.array([counts[label] for label in classes]) for counts in numbers)
    gains = _estimate_gains(errors, quarter_sizes, images, validation)
    total = (gains * validation).sum(axis=1) / validation.sum()
    low, high = percentile_interval(np.column_stack([gains, total])[1:])
    # Without an error among the images a bootstrap sees none. There may be errors all the same, which fall at best
    # as 1 / n.
    flawless = np.flatnonzero(errors[0, :, -1] == 0)
    most = wilson_interval(np.zeros(len(classes), np.int64), validation)[1] * MORE / (images + MORE)
    high[flawless] = np.maximum(high[flawless], most[flawless])
    recalls = 1 - np.concatenate(
        [errors[0], (errors[0] * validation[:, None]).sum(axis=0, keepdims=True) / validation.sum()]
    )
    sizes = np.concatenate([quarter_sizes, quarter_sizes.sum(axis=0, keepdims=True)])
    names, measured = (*classes, ""), np.append(gains[0], total[0])
    all_images, all_validation = np.append(images, images.sum()), np.append(validation, validation.sum())
    curves = [
        LearningCurve(
            label=name,
            images=int(all_images[row]),
            validation=int(all_validation[row]),
            sizes=tuple(map(int, sizes[row])),
            recalls=tuple(map(float, recalls[row])),
            gain=float(measured[row]),
            low=float(low[row]),
            high=float(high[row]),
        )
        for row, name in enumerate(names)
    ]
    return LearningCurves(curves[-1], tuple(sorted((*curves[:-1], *unknown), key=lambda curve: curve.label)))


def _estimate_gains(
    errors: Floats, quarter_sizes: NDArray[np.int64], images: NDArray[np.int64], validation: NDArray[np.int64]
) -> Floats:
    """Estimate the gains from 50 more images of each class, shrunk towards those that the common curve predicts.

    Returns:
        Gains in recall of shape (1 + n_rounds, n_classes).
    """
    overall = (errors * validation[:, None]).sum(axis=1) / validation.sum()
    share, power = _fit_power_law(quarter_sizes.mean(axis=0), overall)
    sizes = quarter_sizes[None] ** -power[:, None, None]
    centred = sizes - sizes.mean(axis=-1, keepdims=True)
    slope = (centred * errors).sum(axis=-1) / (centred**2).sum(axis=-1)
    before, after = (number ** -power[:, None] for number in (images.astype(np.float64), images + float(MORE)))
    own_gain, common_gain = slope * (before - after), errors.mean(axis=-1) * share[:, None] * (1 - after / before)
    shrunk = (validation * own_gain + _PRIOR_IMAGES * common_gain) / (validation + _PRIOR_IMAGES)
    return np.asarray(np.clip(shrunk, 0, errors[..., -1]))


def _fit_power_law(sizes: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Fit c + a * n ** -b to error rates by least squares over a grid of b.

    Returns:
        The share of the mean error that a * n ** -b has at the last size, and b, each of shape (n_rounds,).
    """
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
