"""Probabilities that mean what they say: a temperature, how far off they are, and when the answer is I don't know."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: A threshold that no probability reaches: such a model is never sure.
NEVER = 2.0
_BINS = 15
# No model that learned anything is off by more than this.
_COLDEST, _HOTTEST = 0.05, 20.0

Logits = NDArray[np.float64]
Truth = Sequence[int] | NDArray[np.int64]


def temperature(logits: Logits, truth: Truth) -> float:
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
        others = (_normaliser(scaled) * logits.shape[1] - scaled.sum(axis=1)).mean() - right
        return float((1 - doubt) * right + doubt * others / max(logits.shape[1] - 1, 1))

    found = minimize_scalar(loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def mean_log_loss(logits: Logits, truth: Truth) -> float:
    """Measure the mean of -log(probability of the true class), in nats."""
    taken = np.take_along_axis(logits, np.asarray(truth, np.int64)[:, None], axis=1)[:, 0]
    return float((_normaliser(logits) - taken).mean())


def calibration_error(probabilities: NDArray[np.float32], truth: Truth) -> float:
    """Measure by how much the likeliest class's probability and its share of right answers differ: 0 to 1.

    Expected calibration error over 15 bins of equal width, weighted by their images, as in Guo et al., ICML 2017.
    """
    confidence, right = _answers(probabilities, truth)
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))


def sure_from(probabilities: NDArray[np.float32], truth: Truth, precision: float) -> float:
    """Find the smallest probability at and above which at least this share of the answers is right.

    Only probabilities that occur are candidates; ``NEVER`` where none is enough.
    """
    confidence, right = _answers(probabilities, truth)
    order = np.argsort(-confidence, kind="stable")
    ranked, share = confidence[order], right[order].cumsum() / np.arange(1, len(right) + 1)
    # Images of the same probability are all answered, or none of them is.
    last = np.append(ranked[1:] < ranked[:-1], True)
    enough = ranked[last & (share >= precision)]
    return float(enough[-1]) if len(enough) else NEVER


def _answers(probabilities: NDArray[np.float32], truth: Truth) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take each image's largest probability, and 1 where that class is the true one, else 0."""
    right = probabilities.argmax(axis=1) == np.asarray(truth, np.int64)
    return probabilities.max(axis=1).astype(np.float64), right.astype(np.float64)


def _normaliser(logits: Logits) -> NDArray[np.float64]:
    """Compute log(sum(exp(logits))) of each image."""
    largest = logits.max(axis=1)
    return np.asarray(np.log(np.exp(logits - largest[:, None]).sum(axis=1)) + largest)
