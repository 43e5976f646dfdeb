"""Linear discriminants from sums: heads that cost next to nothing, so that many can be fitted to parts of a whole."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.domain.significance import Floats

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


def discriminant_scores(learned: Sequence[Moments], features: NDArray[np.float32]) -> Floats:
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
