"""Calibration: a temperature, the calibration error, and the threshold from which on a prediction is confident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.domain.phrasing import count
from tasks.domain.significance import wilson_share

#: A threshold that no probability reaches: a model with it is never confident.
NEVER = 2.0
_BINS = 15
# The probability at which a promise may fail, and the growth of the tested sets of predictions from one to the next.
_ERROR, _GROWTH = 0.05, 1.1
# Testing starts with the largest set whose probability of passing is at least this share of the best one's.
_LIKELY = 0.95
# The limits of the temperature: no model that learned anything needs one beyond them.
_COLDEST, _HOTTEST = 0.05, 20.0

Logits = NDArray[np.float64]
Probabilities = NDArray[np.float32] | NDArray[np.float64]
Truth = Sequence[int] | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Promise:
    """The promise that a share of the model's confident predictions is correct.

    Attributes:
        precision: The promised share, ``training.sure_precision``.
        threshold: The probability from which on a prediction is confident; ``NEVER`` where nothing can be promised.
        groups: The near-duplicate groups that were held out to find it; None where an earlier Pedigree did not count
            them.
    """

    precision: float
    threshold: float
    groups: int | None = None

    @property
    def never_confident(self) -> bool:
        """Return whether no prediction of the model is confident."""
        return self.threshold >= NEVER

    def __str__(self) -> str:
        """Describe from which probability on the model is confident, or why it never is."""
        if not self.never_confident:
            right = f"where {self.precision:g} of the answers are promised to be right"
            return f"sure from probability {self.threshold:.3f} on, {right}"
        return f"never sure: {self._why}"

    @property
    def _why(self) -> str:
        needed = count_required_groups(self.precision)
        promise = f"promise that {self.precision:g} of its sure answers are right"
        if needed is None:
            return f"no number of images is enough to {promise}"
        if self.groups is None:
            return f"too few images were held out, or too many answers about them wrong, to {promise}"
        held = count(self.groups, "group of near duplicates was held out", "groups of near duplicates were held out")
        if self.groups < needed:
            return f"{held}, and it takes at least {needed:,} to {promise}"
        return f"{held}, and too many answers about them are wrong to {promise}"

    def describe_held(self, figures: Mapping[str, float], images: int) -> str:
        """Describe how well the promise held on test images.

        Args:
            figures: The model's metrics, of which ``coverage`` and ``precision_when_sure`` are read.
            images: The number of test images.

        Returns:
            The sentence.
        """
        coverage = figures.get("coverage", 0.0)
        sure = round(coverage * images)
        if not sure or "precision_when_sure" not in figures:
            return f"promised {self.precision:g}; no answer about {count(images, 'test image')} was sure, coverage 0"
        low, high = wilson_share(figures["precision_when_sure"], sure)
        return (
            f"promised {self.precision:g}, held {figures['precision_when_sure']:.3f} of "
            f"{count(sure, 'sure answer')} (95% interval {low:.3f} to {high:.3f}), coverage {coverage:.3f} of "
            f"{count(images, 'test image')}"
        )


@dataclass(frozen=True, slots=True)
class _Levels:
    """The distinct probabilities, the largest first, with the predictions at and above each.

    Attributes:
        confidence: The probability, of shape (n_levels,).
        expected: The share of wrong predictions that the probabilities themselves expect, of the same shape.
        witnesses: The number of groups with a confident prediction, of the same shape.
        wrong: The number of groups with a wrong confident prediction, of the same shape.
    """

    confidence: NDArray[np.float64]
    expected: NDArray[np.float64]
    witnesses: NDArray[np.int64]
    wrong: NDArray[np.int64]


def fit_temperature(logits: Logits, truth: Truth) -> float:
    """Fit the temperature that calibrates probabilities.

    Temperature scaling as in Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017:
    the temperature between 0.05 and 20 with the smallest mean log loss. If all n images are correct, that would be the
    lowest one. So the target of the true class is only (n + 1) / (n + 2), as in Platt, "Probabilistic Outputs for
    Support Vector Machines", 1999, and the other classes share the rest.

    Args:
        logits: Logits of shape (n_images, n_classes).
        truth: The index of each image's class, of shape (n_images,).

    Returns:
        The number by which logits are divided.
    """
    from scipy.optimize import minimize_scalar

    doubt = 1 / (len(truth) + 2)

    def loss(log: float) -> float:
        scaled = logits / np.exp(log)
        right = mean_log_loss(scaled, truth)
        others_loss = (_log_sum_exp(scaled) * logits.shape[1] - scaled.sum(axis=1)).mean() - right
        return float((1 - doubt) * right + doubt * others_loss / max(logits.shape[1] - 1, 1))

    optimum = minimize_scalar(loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(optimum.x))


def mean_log_loss(logits: Logits, truth: Truth) -> float:
    """Compute the mean of -log(probability of the true class).

    Args:
        logits: Logits of shape (n_images, n_classes).
        truth: The index of each image's class, of shape (n_images,).

    Returns:
        The mean log loss in nats.
    """
    taken = np.take_along_axis(logits, np.asarray(truth, np.int64)[:, None], axis=1)[:, 0]
    return float((_log_sum_exp(logits) - taken).mean())


def calibration_error(probabilities: Probabilities, truth: Truth) -> float:
    """Compute the expected calibration error over 15 bins of equal width, as in Guo et al., ICML 2017.

    Args:
        probabilities: Probabilities of shape (n_images, n_classes).
        truth: The index of each image's class, of shape (n_images,).

    Returns:
        The mean difference of confidence and accuracy, weighted by the images of each bin, between 0 and 1.
    """
    confidence, right = _score(probabilities, truth)
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))


def find_threshold(
    probabilities: Probabilities, truth: Truth, precision: float, groups: Sequence[str] | None = None
) -> float:
    """Find the probability from which on a share of all future predictions is correct, at 95% confidence.

    A model that is correct less often than promised gets a threshold in at most one of twenty runs. Each candidate, a
    larger set of the most probable predictions than the one before, is tested by the exact binomial bound of Clopper
    and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 1934.
    Testing several of them needs no correction: their order does not depend on which predictions are correct, and the
    first one that fails ends the search. This is fixed sequence testing, as in Angelopoulos, Bates, Candès, Jordan and
    Lei, "Learn then Test: calibrating predictive algorithms to achieve risk control", Annals of Applied Statistics
    2025.

    Args:
        probabilities: Calibrated probabilities of shape (n_images, n_classes) of images that the model did not learn.
        truth: The index of each image's class, of shape (n_images,).
        precision: The promised share, from 0 to 1.
        groups: The near-duplicate group of each image. A group counts as one witness, which is wrong where any
            confident prediction about its images is wrong. None makes each image a group of its own.

    Returns:
        The threshold; ``NEVER`` where the images are too few, or too many predictions wrong, to promise anything.
    """
    from scipy.stats import binom

    if precision <= 0:
        return 0.0
    confidence, right = _score(probabilities, truth)
    levels = _build_levels(confidence, right, groups)
    tested = np.searchsorted(levels.witnesses, _list_sizes(precision, int(levels.witnesses[-1])))
    tested = tested[_find_start(levels, tested, precision) :]
    failed = binom.cdf(levels.wrong[tested], levels.witnesses[tested], 1 - precision) > _ERROR
    passed = tested[: np.append(failed, True).argmax()]
    return float(levels.confidence[passed[-1]]) if len(passed) else NEVER


def count_required_groups(precision: float) -> int | None:
    """Return how many confident groups, all correct, it takes to promise a precision; None where none suffice."""
    return int(np.ceil(np.log(_ERROR) / np.log(precision))) if 0 < precision < 1 else None if precision >= 1 else 0


def _build_levels(confidence: NDArray[np.float64], right: NDArray[np.float64], groups: Sequence[str] | None) -> _Levels:
    order = np.argsort(-confidence, kind="stable")
    ranked, mistaken = confidence[order], right[order] == 0
    names = np.arange(len(order)) if groups is None else np.unique(groups, return_inverse=True)[1][order]
    # Images of the same probability are confident together, or none of them is.
    last = np.append(ranked[1:] < ranked[:-1], True)
    expected = (1 - ranked).cumsum() / np.arange(1, len(order) + 1)
    return _Levels(
        ranked[last],
        expected[last],
        _mark_first(names, np.ones(len(order), bool)).cumsum()[last],
        _mark_first(names, mistaken).cumsum()[last],
    )


def _mark_first(names: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return 1 for the first chosen entry of each name, else 0, of shape (n_images,)."""
    places = np.flatnonzero(chosen)
    marks = np.zeros(len(names), np.int64)
    marks[places[np.unique(names[places], return_index=True)[1]]] = 1
    return marks


def _list_sizes(precision: float, most: int) -> list[int]:
    """List the numbers of groups that are tested, from the fewest that could promise anything up to all of them."""
    size, sizes = count_required_groups(precision), list[int]()
    while size is not None and size < most:
        sizes.append(size)
        size = int(np.ceil(size * _GROWTH))
    return sizes if size is None or (size > most and not sizes) else [*sizes, most]


def _find_start(levels: _Levels, tested: NDArray[np.int64], precision: float) -> int:
    """Find where testing starts: with the most witnesses among the tests that are about the likeliest to pass.

    How likely a test is to pass follows from the probabilities alone, never from the true classes.

    Returns:
        The index into ``tested``.
    """
    from scipy.stats import binom

    if not len(tested):
        return 0
    witnesses = levels.witnesses[tested]
    most = binom.ppf(_ERROR, witnesses, 1 - precision)
    most -= binom.cdf(most, witnesses, 1 - precision) > _ERROR
    chance = binom.cdf(most, witnesses, levels.expected[tested])
    return int(np.flatnonzero(chance >= _LIKELY * chance.max())[-1])


def _score(probabilities: Probabilities, truth: Truth) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each image's largest probability, and 1 where that class is the true one, else 0."""
    right = probabilities.argmax(axis=1) == np.asarray(truth, np.int64)
    return probabilities.max(axis=1).astype(np.float64), right.astype(np.float64)


def _log_sum_exp(logits: Logits) -> NDArray[np.float64]:
    """Compute log(sum(exp(logits))) of each image."""
    largest = logits.max(axis=1)
    return np.asarray(np.log(np.exp(logits - largest[:, None]).sum(axis=1)) + largest)
