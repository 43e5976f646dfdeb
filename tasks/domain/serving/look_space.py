"""Where pictures are compared by their look: features less the class's mean, in units of the spread within classes.

Features count by their square roots, as in Perronnin, Sanchez and Mensink, "Improving the Fisher kernel for large-scale
image classification", ECCV 2010. The same space says how likely a picture is of each class, as linear discriminant
analysis does with equal frequencies (Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2009,
section 4.3).
Training images are looked at as well, each by a space that was fitted without it and its near duplicates. So there are
as many pictures to compare live ones with as people have labelled, not as many as were kept for the test.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

# The directions that are scaled one by one; all others are scaled alike. More of them would take what training images
# have in common by chance for a direction, so that others would seem to lie farther out.
_DIRECTIONS, _IMAGES_A_DIRECTION = 64, 8
# Which share of the mean variance is added to that of each direction, so that directions in which the training images
# hardly vary by chance do not weigh more than all others.
_SHRINKAGE = 0.3
_FOLDS = 10
# How many directions are followed beside those that are wanted, and how often.
_SPARE, _ITERATIONS = 32, 6

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
Labels = NDArray[np.intp]


class Looks(NamedTuple):
    """How pictures look.

    Attributes:
        vectors: Their looks, of shape (n_pictures, width).
        nearest: The index of the class whose mean is the nearest to each, of shape (n_pictures,).
        posteriors: How likely each picture is of each class, of shape (n_pictures, n_classes).
    """

    vectors: Vectors
    nearest: Labels
    posteriors: Floats

    def join(self, other: "Looks") -> "Looks":
        """Return these looks, and others after them."""
        return Looks(
            np.concatenate([self.vectors, other.vectors]),
            np.concatenate([self.nearest, other.nearest]),
            np.concatenate([self.posteriors, other.posteriors]),
        )


@dataclass(frozen=True)
class LookSpace:
    """A space in which looks are compared.

    Attributes:
        n_classes: The number of classes, also of those without images.
        classes: The indices of the classes that have images, of shape (n_means,).
        means: The scaled mean features of each of them, of shape (n_means, width).
        directions: The directions in which pictures of a class vary most, of shape (width, n_directions).
        scales: By how much each of them is scaled, of shape (n_directions,).
        rest: By how much all others are scaled.
    """

    n_classes: int
    classes: Labels
    means: Vectors
    directions: Vectors
    scales: Vectors
    rest: float

    def look(self, features: Vectors) -> Looks:
        """Compute the look of pictures: how each differs from the nearest class's mean.

        Args:
            features: Features of shape (n_images, width).

        Returns:
            The looks.
        """
        scaled = _scale(_dampen(features), self.directions, self.scales, self.rest)
        # Half the squared distance to each mean, less what all classes have in common.
        distances = np.square(self.means).sum(axis=1) / 2 - scaled @ self.means.T
        nearest = distances.argmin(axis=1)
        posteriors = np.zeros((len(features), self.n_classes))
        posteriors[:, self.classes] = softmax(-distances.astype(np.float64), axis=1)
        return Looks(scaled - self.means[nearest], self.classes[nearest], posteriors)


class _Moments(NamedTuple):
    """Sums over images: of products of features, and of features and images by class."""

    products: Floats
    sums: Floats
    counts: Floats

    def without(self, other: "_Moments") -> "_Moments":
        return _Moments(self.products - other.products, self.sums - other.sums, self.counts - other.counts)


def fit_look_space(features: Vectors, truth: Labels) -> LookSpace:
    """Fit a space to training images.

    Args:
        features: Features of shape (n_images, width).
        truth: The index of each image's class, of shape (n_images,).

    Returns:
        The space.
    """
    return _fit(_sum_up(features, truth, int(truth.max()) + 1))


def cross_fit_looks(features: Vectors, truth: Labels, groups: Labels, rows: Labels) -> Looks:
    """Compute the look of training images, each by a space that was fitted without it.

    Args:
        features: Features of all training images, of shape (n_images, width).
        truth: The index of each one's class, of shape (n_images,).
        groups: The number of each one's near-duplicate group, of shape (n_images,); there are two groups at least.
        rows: Whose looks are wanted, of shape (n_wanted,).

    Returns:
        Their looks, in the order of the rows.
    """
    folds = np.random.default_rng(0).permutation(int(groups.max()) + 1)[groups] % _FOLDS
    moments = _sum_up(features, truth, int(truth.max()) + 1)
    looks = Looks(
        np.empty((len(rows), features.shape[1]), np.float32),
        np.empty(len(rows), np.intp),
        np.empty((len(rows), len(moments.counts))),
    )
    for inside in np.unique(folds[rows]).tolist():
        part = _sum_up(features[folds == inside], truth[folds == inside], len(moments.counts))
        held = folds[rows] == inside
        outside = _fit(moments.without(part)).look(features[rows[held]])
        looks.vectors[held], looks.nearest[held], looks.posteriors[held] = outside
    return looks


def _dampen(features: Vectors) -> Vectors:
    """Return the square roots of features, whose spread grows with their size; signs stay."""
    return np.asarray(np.copysign(np.sqrt(np.abs(features)), features), np.float32)


def _sum_up(features: Vectors, truth: Labels, classes: int) -> _Moments:
    wide = _dampen(features).astype(np.float64)
    sums = np.zeros((classes, features.shape[1]))
    np.add.at(sums, truth, wide)
    return _Moments(wide.T @ wide, sums, np.bincount(truth, minlength=classes).astype(np.float64))


def _fit(moments: _Moments) -> LookSpace:
    classes = np.flatnonzero(moments.counts)
    counts, images = moments.counts[classes, None], int(moments.counts.sum())
    means = moments.sums[classes] / counts
    covariance = (moments.products - (counts * means).T @ means) / images
    width = len(covariance)
    many = max(1, min(_DIRECTIONS, width // 2, images // _IMAGES_A_DIRECTION))
    variances, directions = _largest(covariance, many)
    added = max(_SHRINKAGE * variances.mean(), 1e-12)
    remaining = max(float(np.trace(covariance) - variances.sum()), 0) / max(width - many, 1)
    scales, rest = 1 / np.sqrt(variances + added), float(1 / np.sqrt(remaining + added))
    plain = directions.astype(np.float32), scales.astype(np.float32), rest
    return LookSpace(len(moments.counts), classes, _scale(means.astype(np.float32), *plain), *plain)


def _largest(covariance: Floats, many: int) -> tuple[Floats, Floats]:
    """Return the largest variances, and the directions that have them, as nearly as looks need them.

    Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 2011: a tenth of the time of all
    directions of 2,048 features.

    Returns:
        Variances of shape (n_directions,), and directions of shape (width, n_directions).
    """
    narrow = covariance.astype(np.float32)
    basis = np.random.default_rng(0).normal(size=(len(narrow), min(many + _SPARE, len(narrow)))).astype(np.float32)
    for _ in range(_ITERATIONS):
        basis = np.linalg.qr(narrow @ basis)[0]
    variances, inner = np.linalg.eigh((basis.T @ narrow @ basis).astype(np.float64))
    return np.maximum(variances[-many:], 0), basis @ inner[:, -many:]


def _scale(features: Vectors, directions: Vectors, scales: Vectors, rest: float) -> Vectors:
    """Scale some directions one by one and all others alike; vectors keep their axes."""
    along = features @ directions
    return np.asarray(np.float32(rest) * features + (along * (scales - np.float32(rest))) @ directions.T, np.float32)
