"""Drift: whether live pictures differ from the test images, in the classes that people bring or in their look.

Two figures tell the two apart. The *mixture* compares the mean probability of each class, which is the class's share as
a calibrated model estimates it. The *look* is the energy distance of the features (Székely and Rizzo, "Energy
statistics: a class of statistics based on distances", Journal of Statistical Planning and Inference 2013) less the mean
of the predicted class, in units of the spread within classes: without the first the classes drown every other change,
and without the second a few directions do in which all classes vary. Both have p values by permutation, which hold for
any model and features as long as pictures are independent: near duplicates must be left out of both samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.domain.significance import holm

Kind = Literal["mixture", "look"]
KINDS: tuple[Kind, ...] = ("mixture", "look")
#: The error rate of a day's tests together, and that of each of two days running alone.
RATE, RATE_OF_A_DAY = 0.001, 0.05
# The smallest p value is 1 in 2,000, which is what Holm's method asks of the first of two figures.
_ROUNDS, _ROUNDS_AT_ONCE = 1999, 200
# Which share of the mean variance is added to that of each direction, so that directions in which the training images
# hardly vary by chance do not weigh more than all others.
_SHRINKAGE = 0.3

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class LookSpace:
    """Where pictures are compared by their look: features less the class's mean, in units of the spread within classes.

    Attributes:
        means: The mean features of each class, of shape (n_classes, width).
        scaling: Projects on directions of equal spread, of shape (width, n_directions).
    """

    means: Vectors
    scaling: Vectors

    def project(self, features: Vectors, predicted: Labels) -> Vectors:
        """Compute the look of pictures.

        Args:
            features: Features of shape (n_images, width).
            predicted: The index of each predicted class, of shape (n_images,).

        Returns:
            Vectors of shape (n_images, n_directions).
        """
        return np.asarray((features - self.means[predicted]) @ self.scaling, np.float32)


def fit_look_space(features: Vectors, truth: Labels, classes: int) -> LookSpace:
    """Fit the space in which looks are compared to training images.

    Args:
        features: Features of shape (n_images, width).
        truth: The index of each image's class, of shape (n_images,).
        classes: The number of classes; one without images has the mean of all.

    Returns:
        The space.
    """
    sums = np.zeros((classes, features.shape[1]))
    np.add.at(sums, truth, features)
    counts = np.bincount(truth, minlength=classes)[:, None]
    means = np.where(counts > 0, sums / np.maximum(counts, 1), features.mean(axis=0, dtype=np.float64))
    inner = features - means[truth]
    variances, directions = np.linalg.eigh(inner.T @ inner / len(inner))
    # More directions than images say nothing, and have no variance.
    varied = np.argsort(-variances)[: min(len(inner), len(variances))]
    spread = np.sqrt(np.maximum(variances[varied], 0) + _SHRINKAGE * max(variances[varied].mean(), 1e-12))
    return LookSpace(means.astype(np.float32), (directions[:, varied] / spread).astype(np.float32))


@dataclass(frozen=True)
class PictureSample:
    """Pictures that are compared, without near duplicates among them.

    Attributes:
        probabilities: Calibrated probabilities of shape (n_pictures, n_classes).
        look: Their looks, of shape (n_pictures, n_directions).
    """

    probabilities: Floats
    look: Vectors

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.look)

    @cached_property
    def predicted(self) -> Labels:
        """Return the index of each predicted class."""
        return np.asarray(self.probabilities.argmax(axis=1), np.intp)

    @property
    def shares(self) -> Floats:
        """Return the estimated share of each class, of shape (n_classes,)."""
        return np.asarray(self.probabilities.mean(axis=0))


def join_samples(samples: Sequence[PictureSample]) -> PictureSample:
    """Join samples, such as those of two days."""
    return PictureSample(
        np.concatenate([sample.probabilities for sample in samples]),
        np.concatenate([sample.look for sample in samples]),
    )


def compare_samples(reference: PictureSample, live: PictureSample, seed: int) -> Mapping[Kind, float]:
    """Compute how likely two samples differ as much by chance, in mixture and in look.

    Args:
        reference: The test images.
        live: Live pictures.
        seed: Seed of the permutations.

    Returns:
        The p value of each kind.
    """
    chance = np.random.default_rng(seed)
    return {"mixture": _compare_mixtures(reference, live, chance), "look": _compare_looks(reference, live, chance)}


def _compare_mixtures(reference: PictureSample, live: PictureSample, chance: np.random.Generator) -> float:
    """Return the p value of the largest difference of a class's mean probability, in units of its spread."""
    together = np.concatenate([reference.probabilities, live.probabilities])
    spread = together.std(axis=0)
    scaled = (together - together.mean(axis=0)) / np.where(spread > 0, spread, 1)
    strata = np.zeros(len(together), np.intp)
    drawn = [np.abs(marks @ scaled).max(axis=1) for marks in _draw_marks(strata, len(live), chance)]
    return _p_value(np.concatenate(drawn))


def _compare_looks(reference: PictureSample, live: PictureSample, chance: np.random.Generator) -> float:
    """Return the p value of the energy distance; only pictures of the same predicted class change places.

    So the mixture changes nothing: however many pictures of a class there are, they are compared with their like.

    Returns:
        The p value.
    """
    distances = _pairwise_distances(np.concatenate([reference.look, live.look]))
    predicted = np.concatenate([reference.predicted, live.predicted])
    drawn = [_energy(distances, marks, len(live)) for marks in _draw_marks(predicted, len(live), chance)]
    return _p_value(np.concatenate(drawn))


def _draw_marks(strata: Labels, live: int, chance: np.random.Generator) -> list[Vectors]:
    """Draw which pictures are called live; within each stratum as many as there are.

    Args:
        strata: The stratum of each picture, of shape (n_pictures,); the live pictures are the last ones.
        live: The number of live pictures.
        chance: Where chance comes from.

    Returns:
        Ones and zeros in blocks of shape (n_rounds, n_pictures); the first row of the first block is as it is.
    """
    real = np.zeros(len(strata), np.float32)
    real[len(strata) - live :] = 1
    in_order = real[np.argsort(strata, kind="stable")]
    blocks = [real[None]]
    for start in range(0, _ROUNDS, _ROUNDS_AT_ONCE):
        keys = chance.random((min(_ROUNDS_AT_ONCE, _ROUNDS - start), len(strata)), np.float32) + strata
        marks = np.empty(keys.shape, np.float32)
        np.put_along_axis(marks, keys.argsort(axis=1), np.broadcast_to(in_order, keys.shape), axis=1)
        blocks.append(marks)
    return blocks


def _energy(distances: Vectors, marks: Vectors, live: int) -> Floats:
    """Compute the energy distance between marked and other pictures, of shape (n_rounds,)."""
    others = len(distances) - live
    sums = marks @ distances
    within = (sums * marks).sum(axis=1, dtype=np.float64)
    of_live = sums.sum(axis=1, dtype=np.float64)
    between, rest = of_live - within, distances.sum(dtype=np.float64) - 2 * of_live + within
    return np.asarray(2 * between / (live * others) - within / live**2 - rest / others**2)


def _pairwise_distances(vectors: Vectors) -> Vectors:
    """Compute Euclidean distances, of shape (n, n)."""
    wide = vectors.astype(np.float64)
    squares = np.square(wide).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares - 2 * wide @ wide.T, 0)), np.float32)


def _p_value(drawn: Floats) -> float:
    """Return the share of rounds in which the figure is at least the first one, which is real."""
    return float((drawn >= drawn[0] - 1e-9 * abs(drawn[0])).mean())


def find_drift(together: Mapping[Kind, float], days: Sequence[Mapping[Kind, float]]) -> tuple[Kind, ...]:
    """Find in what the pictures of two days running differ from the test images.

    A kind has drifted where the pictures of both days together show it beyond chance (Holm's method), and each day
    alone leans that way, so that one person's hundred pictures of one afternoon raise nothing. A changed look changes
    what the model says as well; then the mixture is not named, since it follows.

    Args:
        together: The p values of the pictures of both days together.
        days: The p values of each of the two days alone.

    Returns:
        The kinds; none on a day like the test images.
    """
    significant = holm([together[kind] for kind in KINDS], RATE)
    drifted = [
        kind
        for kind, beyond in zip(KINDS, significant, strict=True)
        if beyond and all(day[kind] <= RATE_OF_A_DAY for day in days)
    ]
    return ("look",) if "look" in drifted else tuple(drifted)
