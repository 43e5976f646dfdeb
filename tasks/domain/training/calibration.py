"""Probabilities that mean what they say: a temperature, how far off they are, and when the answer is I don't know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.domain.phrasing import count
from tasks.domain.significance import wilson_share

#: A threshold that no probability reaches: such a model is never sure.
NEVER = 2.0
_BINS = 15
# The chance at which a promise may be broken; the sets of answers that are tested grow by a tenth.
_ERROR, _GROWTH = 0.05, 1.1
# Testing starts with the largest set whose chance to pass is at least so much of the best one's.
_LIKELY = 0.95
# No model that learned anything is off by more than this.
_COLDEST, _HOTTEST = 0.05, 20.0

Logits = NDArray[np.float64]
Probabilities = NDArray[np.float32] | NDArray[np.float64]
Truth = Sequence[int] | NDArray[np.int64]


def fit_temperature(logits: Logits, truth: Truth) -> float:
    """Find the number to divide logits of shape (images, classes) by, so that probabilities are neither bold nor shy.

    Temperature scaling as in Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017:
    the mean log loss is the least, between 0.05 and 20. Where all n images are right, that would be the boldest. So
    the true class is asked for with probability (n + 1) / (n + 2) only, as in Platt, "Probabilistic Outputs for Support
    Vector Machines", 1999, and all others share the rest.
    """
    from scipy.optimize import minimize_scalar

    doubt = 1 / (len(truth) + 2)

    def loss(log: float) -> float:
        scaled = logits / np.exp(log)
        right = mean_log_loss(scaled, truth)
        others_loss = (_normaliser(scaled) * logits.shape[1] - scaled.sum(axis=1)).mean() - right
        return float((1 - doubt) * right + doubt * others_loss / max(logits.shape[1] - 1, 1))

    optimum = minimize_scalar(loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(optimum.x))


def mean_log_loss(logits: Logits, truth: Truth) -> float:
    """Measure the mean of -log(probability of the true class), in nats."""
    taken = np.take_along_axis(logits, np.asarray(truth, np.int64)[:, None], axis=1)[:, 0]
    return float((_normaliser(logits) - taken).mean())


def calibration_error(probabilities: Probabilities, truth: Truth) -> float:
    """Measure by how much the likeliest class's probability and its share of right answers differ: 0 to 1.

    Expected calibration error over 15 bins of equal width, weighted by their images, as in Guo et al., ICML 2017.
    """
    confidence, right = _answers(probabilities, truth)
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))


def find_threshold(
    probabilities: Probabilities, truth: Truth, precision: float, groups: Sequence[str] | None = None
) -> float:
    """Find a probability at and above which so large a share of all future answers is right, at 95% confidence.

    A model that is right less often than promised gets a threshold in at most one night in twenty. Each candidate, a
    larger set of the most probable answers than the one before, is tested by the exact binomial bound of Clopper and
    Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 1934. That
    several are tested costs nothing, since they come in an order that does not depend on which answers are right, and
    the first that fails ends the search: fixed sequence testing, as in Angelopoulos, Bates, Candès, Jordan and Lei,
    "Learn then Test: calibrating predictive algorithms to achieve risk control", Annals of Applied Statistics 2025.

    Args:
        probabilities: Calibrated probabilities of shape (n_images, n_classes) of images that the model did not learn.
        truth: The true class of each image as an index, of shape (n_images,).
        precision: The share that is promised, from 0 to 1.
        groups: The near-duplicate group of each image: ten pictures of one burst are one witness, and a wrong one
            where any sure answer about them is wrong. None where each image stands for itself.

    Returns:
        The threshold; ``NEVER`` where the images are too few, or too many answers wrong, to promise anything.
    """
    from scipy.stats import binom

    if precision <= 0:
        return 0.0
    confidence, right = _answers(probabilities, truth)
    levels = _levels(confidence, right, groups)
    tested = np.searchsorted(levels.witnesses, _sizes(precision, int(levels.witnesses[-1])))
    tested = tested[_start(levels, tested, precision) :]
    failed = binom.cdf(levels.wrong[tested], levels.witnesses[tested], 1 - precision) > _ERROR
    passed = tested[: np.append(failed, True).argmax()]
    return float(levels.confidence[passed[-1]]) if len(passed) else NEVER


def count_required_groups(precision: float) -> int | None:
    """Count the sure answers, all of them right, that it takes at least to promise a precision; None for all right."""
    return int(np.ceil(np.log(_ERROR) / np.log(precision))) if 0 < precision < 1 else None if precision >= 1 else 0


@dataclass(frozen=True, slots=True)
class _Levels:
    """Each probability that occurs, the largest first, and who is sure at and above it.

    Attributes:
        confidence: The probability, of shape (n_levels,).
        expected: The share of wrong answers that the probabilities themselves expect.
        witnesses: The groups with a sure answer.
        wrong: The groups with a wrong sure answer.
    """

    confidence: NDArray[np.float64]
    expected: NDArray[np.float64]
    witnesses: NDArray[np.int64]
    wrong: NDArray[np.int64]


def _levels(confidence: NDArray[np.float64], right: NDArray[np.float64], groups: Sequence[str] | None) -> _Levels:
    order = np.argsort(-confidence, kind="stable")
    ranked, mistaken = confidence[order], right[order] == 0
    names = np.arange(len(order)) if groups is None else np.unique(groups, return_inverse=True)[1][order]
    # Images of the same probability are all answered, or none of them is.
    last = np.append(ranked[1:] < ranked[:-1], True)
    expected = (1 - ranked).cumsum() / np.arange(1, len(order) + 1)
    return _Levels(
        ranked[last],
        expected[last],
        _firsts(names, np.ones(len(order), bool)).cumsum()[last],
        _firsts(names, mistaken).cumsum()[last],
    )


def _firsts(names: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Mark, among the chosen, the first of each name."""
    places = np.flatnonzero(chosen)
    marks = np.zeros(len(names), np.int64)
    marks[places[np.unique(names[places], return_index=True)[1]]] = 1
    return marks


def _sizes(precision: float, most: int) -> list[int]:
    """List the numbers of witnesses that are tested: from the fewest that could promise anything to all of them."""
    size, sizes = count_required_groups(precision), list[int]()
    while size is not None and size < most:
        sizes.append(size)
        size = int(np.ceil(size * _GROWTH))
    return sizes if size is None or (size > most and not sizes) else [*sizes, most]


def _start(levels: _Levels, tested: NDArray[np.int64], precision: float) -> int:
    """Choose where testing starts: at the most witnesses of those whose test is about the likeliest to pass.

    How likely it is follows from the probabilities alone, never from the answers.
    """
    from scipy.stats import binom

    if not len(tested):
        return 0
    witnesses = levels.witnesses[tested]
    most = binom.ppf(_ERROR, witnesses, 1 - precision)
    most -= binom.cdf(most, witnesses, 1 - precision) > _ERROR
    chance = binom.cdf(most, witnesses, levels.expected[tested])
    return int(np.flatnonzero(chance >= _LIKELY * chance.max())[-1])


def _answers(probabilities: Probabilities, truth: Truth) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take each image's largest probability, and 1 where that class is the true one, else 0."""
    right = probabilities.argmax(axis=1) == np.asarray(truth, np.int64)
    return probabilities.max(axis=1).astype(np.float64), right.astype(np.float64)


def _normaliser(logits: Logits) -> NDArray[np.float64]:
    """Compute log(sum(exp(logits))) of each image."""
    largest = logits.max(axis=1)
    return np.asarray(np.log(np.exp(logits - largest[:, None]).sum(axis=1)) + largest)


@dataclass(frozen=True, slots=True)
class Promise:
    """From which probability on a model is sure, so that a share of its sure answers is right.

    Attributes:
        precision: The share that is promised, ``training.sure_precision``.
        threshold: The probability; ``NEVER`` where nothing can be promised.
        groups: So many near-duplicate groups were held out to find it; None where an earlier Pedigree did not count.
    """

    precision: float
    threshold: float
    groups: int | None = None

    @property
    def never_confident(self) -> bool:
        """Tell whether no answer of the model is sure."""
        return self.threshold >= NEVER

    def __str__(self) -> str:
        """Say from where on the model is sure, or why it never is."""
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
        """Say what was held on so many test images, and of how many answers: figures holds coverage and precision."""
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
