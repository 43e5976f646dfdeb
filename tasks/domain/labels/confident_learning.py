"""Which labels are probably wrong: as many as the features bear out, however well they tell the classes apart."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedGroupKFold

from tasks.domain.training.calibration import fit_temperature

_FOLDS = 5
# Fewer classes, or fewer images of a class to learn from, leave nothing to compare with.
_FEWEST = 2
# Features that put fewer images than this share into their classes, such as those of random weights, doubt no label.
_TELLING = 0.5
# Of correctly labelled images at most about this share is named: so many labels the probabilities expect to be others.
_ALLOWED = 0.01
# A label is wrong, more likely than not, and another class at least as likely as all others together.
_LIKELY = 0.5
# The chance that any two classes of a collection without errors are called mixed up.
_MIXED_UP = 0.01
# Logarithms of probabilities are cut off here, and shares of wrong labels are looked for between these.
_LEAST_LOGIT, _SHARES = -80.0, (1e-4, 0.5)

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelError:
    """An image whose label is probably wrong.

    Attributes:
        index: Which image.
        likely: The class that it looks like.
        likeliest: The calibrated probability of that class.
        given: The calibrated probability of the class that its label says.
    """

    index: int
    likely: int
    likeliest: float
    given: float


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """What the features say of labels.

    Attributes:
        errors: The doubted images, those that the features contradict most come first.
        judged: Which labels could be judged, of shape (n_images,): none where the features do not tell the classes
            apart, and none of a class all of whose images are alike or alone.
    """

    errors: tuple[LabelError, ...]
    judged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Doubts:
    """Calibrated probabilities beside labels.

    Attributes:
        probabilities: Of shape (n_images, n_classes).
        labels: The class that each label says, of shape (n_images,).
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
        """The likeliest class of each image."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def ratios(self) -> Floats:
        """How much likelier the likeliest class is than the label: logarithms of shape (n_images,)."""
        return np.asarray(np.log(self.probabilities.max(axis=1)) - np.log(self.given))


def find_label_errors(features: NDArray[np.float32], labels: Indices, groups: Sequence[str]) -> LabelErrors:
    """Name images whose labels are probably wrong.

    A label is doubted for each of three reasons, all on calibrated probabilities of images held out:

    - it is more likely an error than not, if labels are a mixture of right ones and of ones dealt at random, whose
      share is estimated beside the temperature by maximum likelihood: many errors are named where there are many;
    - it is among the most contradicted, so few that the probabilities expect one image in a hundred there;
    - more images labelled as one class look like another than the probabilities expect beyond chance (a Poisson test,
      Bonferroni over the pairs of classes): a folder into which a part of another one was put.

    Args:
        features: Main directions of the features, of shape (n_images, n_directions).
        labels: The class that each label says as an index, of shape (n_images,).
        groups: The near-duplicate group of each image.

    Returns:
        The doubted images, and which could be judged.
    """
    logits, judged = _held_out(features, labels, groups)
    correct = logits.argmax(axis=1) == labels
    if not judged.any() or correct[judged].mean() < _TELLING:
        return LabelErrors((), np.zeros(len(labels), bool))
    indices = np.flatnonzero(judged)
    doubts = _calibrated(logits[indices], labels[indices])
    named = _errors(doubts) | _most_contradicted(doubts) | _mixed_up(doubts)
    ratios, given, likely = doubts.ratios, doubts.given, doubts.likely
    order = np.argsort(-ratios, kind="stable")
    errors = tuple(
        LabelError(int(indices[at]), int(likely[at]), float(doubts.probabilities[at].max()), float(given[at]))
        for at in order[named[order]].tolist()
    )
    return LabelErrors(errors, judged)


def _held_out(
    features: NDArray[np.float32], labels: Indices, groups: Sequence[str]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Give logits by discriminants that saw nothing of an image's group, and which images have any.

    An image has none whose class no other group shows, since all other classes would seem likelier.

    Returns:
        Logits of shape (n_images, n_classes), and a mask of shape (n_images,).
    """
    logits, judged = np.full((len(labels), int(labels.max()) + 1), _LEAST_LOGIT), np.zeros(len(labels), bool)
    folds = min(_FOLDS, max(Counter(labels.tolist()).values()))
    if folds < _FEWEST:
        return logits, judged
    with warnings.catch_warnings():
        # A class with few images may be missing from a fold.
        warnings.simplefilter("ignore", UserWarning)
        parts = list(StratifiedGroupKFold(folds).split(features, labels, list(groups)))
    for training_indices, held_out in parts:
        learned = training_indices[np.bincount(labels[training_indices])[labels[training_indices]] >= _FEWEST]
        if len(held_out) and len(set(labels[learned].tolist())) >= _FEWEST:
            model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features[learned], labels[learned])
            log_probabilities = model.predict_log_proba(features[held_out])
            logits[np.ix_(held_out, model.classes_)] = np.maximum(log_probabilities, _LEAST_LOGIT)
            judged[held_out] = np.isin(labels[held_out], model.classes_)
    return logits, judged


def _calibrated(logits: Floats, labels: Indices) -> _Doubts:
    """Estimate the temperature and the share of labels that were dealt at random, together."""
    from scipy.optimize import minimize

    classes = logits.shape[1]
    low, high = _SHARES

    def loss(point: Floats) -> float:
        given = np.take_along_axis(_softmax(logits / np.exp(point[0])), labels[:, None], axis=1)
        share = np.exp(point[1])
        return float(-np.log((1 - share) * given + share / classes).mean())

    bounds = [(np.log(0.05), np.log(20)), (np.log(low), np.log(high))]
    warmth = np.log(fit_temperature(logits, labels))
    starts = ((warmth, np.log(share)) for share in (low, 0.1))
    fits = [minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    best = min(fits, key=lambda fit: float(fit.fun)).x
    return _Doubts(_softmax(logits / np.exp(best[0])), labels, float(np.exp(best[1])))


def _errors(doubts: _Doubts) -> NDArray[np.bool_]:
    """Find labels that are more likely dealt at random than not."""
    dealt = doubts.wrong_share / doubts.probabilities.shape[1]
    error = dealt / ((1 - doubts.wrong_share) * doubts.given + dealt)
    apart = doubts.likely != doubts.labels
    return np.asarray(apart & (error >= _LIKELY) & (doubts.probabilities.max(axis=1) >= _LIKELY))


def _most_contradicted(doubts: _Doubts) -> NDArray[np.bool_]:
    """Find labels so far below the likeliest class that the probabilities expect hardly any there."""
    largest = doubts.probabilities.max(axis=1, keepdims=True)
    distances = np.log(largest) - np.log(doubts.probabilities)
    order = np.argsort(-distances, axis=None)
    # The probabilities of all labels that are at least so unlikely add up to how many images should have one.
    expected = doubts.probabilities.ravel()[order].cumsum()
    beyond = int(np.searchsorted(expected, _ALLOWED * len(doubts.labels), side="right"))
    limit = distances.ravel()[order][min(beyond, len(order) - 1)]
    return np.asarray((doubts.likely != doubts.labels) & (doubts.ratios > limit))


def _mixed_up(doubts: _Doubts) -> NDArray[np.bool_]:
    """Find all images labelled as one class that look like another where these are more than chance explains."""
    from scipy.stats import poisson

    classes, likely = doubts.probabilities.shape[1], doubts.likely
    observed, expected = np.zeros((classes, classes)), np.zeros((classes, classes))
    np.add.at(observed, (likely, doubts.labels), 1)
    np.add.at(expected, likely, doubts.probabilities)
    mixed = poisson.sf(observed - 1, expected) * classes * (classes - 1) <= _MIXED_UP
    np.fill_diagonal(mixed, val=False)
    return np.asarray(mixed[likely, doubts.labels])


def _softmax(logits: Floats) -> Floats:
    """Turn logits into probabilities, none of them nought."""
    powers = np.exp(np.maximum(logits - logits.max(axis=1, keepdims=True), _LEAST_LOGIT))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
