"""Label errors (confident learning): which labels are probably wrong, judged by calibrated cross-validated models."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.domain.training.calibration import fit_temperature

_FOLDS = 5
# With fewer classes, or fewer training images of a class, there is nothing to compare with.
_MIN_COUNT = 2
# Where fewer images than this share are classified as labelled, as with random weights, no label is doubted.
_MIN_ACCURACY = 0.5
# The most contradicted labels are named only as far as the probabilities expect at most this share of images there.
_MAX_EXPECTED_SHARE = 0.01
# The smallest probability of a label being an error, and of another class, at which the label is doubted.
_MIN_PROBABILITY = 0.5
# The chance that any pair of classes in a dataset without errors is called mixed up.
_SIGNIFICANCE = 0.01
# The smallest log-probability that is kept, and the bounds of the estimated share of wrong labels.
_MIN_LOGIT, _WRONG_SHARE_BOUNDS = -80.0, (1e-4, 0.5)

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelError:
    """An image whose label is probably wrong.

    Attributes:
        index: The row of the image.
        likely: The index of the class that it looks like.
        likeliest: The calibrated probability of that class.
        given: The calibrated probability of the class that its label names.
    """

    index: int
    likely: int
    likeliest: float
    given: float


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """The labels that are probably wrong.

    Attributes:
        errors: The doubted images; those that the features contradict most come first.
        judged: Which labels could be judged, of shape (n_images,): none where the features do not separate the
            classes, and none of a class that has a single near-duplicate group.
    """

    errors: tuple[LabelError, ...]
    judged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _CalibratedLabels:
    """Calibrated probabilities beside labels.

    Attributes:
        probabilities: Of shape (n_images, n_classes).
        labels: The class index that each label names, of shape (n_images,).
        wrong_share: The estimated share of labels that are wrong.
    """

    probabilities: Floats
    labels: Indices
    wrong_share: float

    @property
    def given(self) -> Floats:
        """The probability of the label, of shape (n_images,)."""
        return np.asarray(np.take_along_axis(self.probabilities, self.labels[:, None], axis=1)[:, 0])

    @property
    def likely(self) -> Indices:
        """The most probable class of each image, of shape (n_images,)."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def ratios(self) -> Floats:
        """The log of the ratio of the largest probability to that of the label, of shape (n_images,)."""
        return np.asarray(np.log(self.probabilities.max(axis=1)) - np.log(self.given))


def find_label_errors(features: NDArray[np.float32], labels: Indices, groups: Sequence[str]) -> LabelErrors:
    """Find the images whose labels are probably wrong.

    A label is doubted for any of three reasons, all based on calibrated probabilities of held-out images:

    - It is more likely an error than not, if labels are a mixture of correct and random ones. The share of random
      labels is estimated together with the temperature by maximum likelihood, so many errors are found where there are
      many.
    - It is among the most contradicted labels, where the probabilities expect at most one image in a hundred.
    - More images labelled as one class look like another than the probabilities explain (a Poisson test with a
      Bonferroni correction over the pairs of classes). This finds a folder that was mixed into another one.

    Args:
        features: Principal components of the features, of shape (n_images, n_components).
        labels: The class index that each label names, of shape (n_images,).
        groups: The near-duplicate group of each image.

    Returns:
        The doubted images, and which labels could be judged.
    """
    logits, judged = _cross_validate(features, labels, groups)
    correct = logits.argmax(axis=1) == labels
    if not judged.any() or correct[judged].mean() < _MIN_ACCURACY:
        return LabelErrors((), np.zeros(len(labels), bool))
    indices = np.flatnonzero(judged)
    doubts = _calibrate(logits[indices], labels[indices])
    named = _likely_errors(doubts) | _most_contradicted(doubts) | _mixed_up(doubts)
    ratios, given, likely = doubts.ratios, doubts.given, doubts.likely
    order = np.argsort(-ratios, kind="stable")
    errors = tuple(
        LabelError(int(indices[at]), int(likely[at]), float(doubts.probabilities[at].max()), float(given[at]))
        for at in order[named[order]].tolist()
    )
    return LabelErrors(errors, judged)


def _cross_validate(
    features: NDArray[np.float32], labels: Indices, groups: Sequence[str]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Compute out-of-fold logits by linear discriminants that were not fitted on an image's near-duplicate group.

    An image whose class is in no other group has no logits, since every other class would seem more likely.

    Returns:
        Logits of shape (n_images, n_classes), and a mask of shape (n_images,) of the images that have them.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedGroupKFold

    logits, judged = np.full((len(labels), int(labels.max()) + 1), _MIN_LOGIT), np.zeros(len(labels), bool)
    folds = min(_FOLDS, max(Counter(labels.tolist()).values()))
    if folds < _MIN_COUNT:
        return logits, judged
    with warnings.catch_warnings():
        # A class with few images may be missing from a fold.
        warnings.simplefilter("ignore", UserWarning)
        parts = list(StratifiedGroupKFold(folds).split(features, labels, list(groups)))
    for training_indices, held_out in parts:
        learned = training_indices[np.bincount(labels[training_indices])[labels[training_indices]] >= _MIN_COUNT]
        if len(held_out) and len(set(labels[learned].tolist())) >= _MIN_COUNT:
            model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features[learned], labels[learned])
            log_probabilities = model.predict_log_proba(features[held_out])
            logits[np.ix_(held_out, model.classes_)] = np.maximum(log_probabilities, _MIN_LOGIT)
            judged[held_out] = np.isin(labels[held_out], model.classes_)
    return logits, judged


def _calibrate(logits: Floats, labels: Indices) -> _CalibratedLabels:
    """Estimate the temperature and the share of random labels together, by maximum likelihood."""
    from scipy.optimize import minimize

    classes = logits.shape[1]
    low, high = _WRONG_SHARE_BOUNDS

    def loss(point: Floats) -> float:
        given = np.take_along_axis(_softmax(logits / np.exp(point[0])), labels[:, None], axis=1)
        share = np.exp(point[1])
        return float(-np.log((1 - share) * given + share / classes).mean())

    bounds = [(np.log(0.05), np.log(20)), (np.log(low), np.log(high))]
    warmth = np.log(fit_temperature(logits, labels))
    starts = ((warmth, np.log(share)) for share in (low, 0.1))
    fits = [minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    best = min(fits, key=lambda fit: float(fit.fun)).x
    return _CalibratedLabels(_softmax(logits / np.exp(best[0])), labels, float(np.exp(best[1])))


def _likely_errors(doubts: _CalibratedLabels) -> NDArray[np.bool_]:
    """Return which labels are more likely random than correct, of shape (n_images,)."""
    dealt = doubts.wrong_share / doubts.probabilities.shape[1]
    error = dealt / ((1 - doubts.wrong_share) * doubts.given + dealt)
    apart = doubts.likely != doubts.labels
    return np.asarray(apart & (error >= _MIN_PROBABILITY) & (doubts.probabilities.max(axis=1) >= _MIN_PROBABILITY))


def _most_contradicted(doubts: _CalibratedLabels) -> NDArray[np.bool_]:
    """Return which labels are so far below the most probable class that hardly any are expected there."""
    largest = doubts.probabilities.max(axis=1, keepdims=True)
    distances = np.log(largest) - np.log(doubts.probabilities)
    order = np.argsort(-distances, axis=None)
    # The cumulative sum of probabilities is the number of images expected to have a label at least this unlikely.
    expected = doubts.probabilities.ravel()[order].cumsum()
    beyond = int(np.searchsorted(expected, _MAX_EXPECTED_SHARE * len(doubts.labels), side="right"))
    limit = distances.ravel()[order][min(beyond, len(order) - 1)]
    return np.asarray((doubts.likely != doubts.labels) & (doubts.ratios > limit))


def _mixed_up(doubts: _CalibratedLabels) -> NDArray[np.bool_]:
    """Return which images belong to pairs of classes that are confused more often than chance explains."""
    from scipy.stats import poisson

    classes, likely = doubts.probabilities.shape[1], doubts.likely
    observed, expected = np.zeros((classes, classes)), np.zeros((classes, classes))
    np.add.at(observed, (likely, doubts.labels), 1)
    np.add.at(expected, likely, doubts.probabilities)
    mixed = poisson.sf(observed - 1, expected) * classes * (classes - 1) <= _SIGNIFICANCE
    np.fill_diagonal(mixed, val=False)
    return np.asarray(mixed[likely, doubts.labels])


def _softmax(logits: Floats) -> Floats:
    """Return the probabilities of logits, each of them above zero."""
    powers = np.exp(np.maximum(logits - logits.max(axis=1, keepdims=True), _MIN_LOGIT))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
