"""Drift: whether live pictures differ from labelled ones, in the classes that people bring or in their look.

Two figures tell the two apart. The *mixture* compares the mean posterior of each class, by the space of looks and not
by the model: so training images count too, each looked at by a space that does not know it, and not the test images
alone. The *look* is the energy distance of the features (Székely and Rizzo, "Energy statistics: a class of statistics
based on distances", Journal of Statistical Planning and Inference 2013) less the mean of the nearest class, in units of
the spread within classes: without the first the classes drown every other change, and without the second a few
directions do in which all classes vary. Both hold for any features as long as pictures are independent: near duplicates
must be left out of all samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from tasks.domain.serving.look_space import Looks

Kind = Literal["mixture", "look"]
#: The largest p value of two days together that counts as drift; where both have drifted the first one is named.
#: The mixture's is smaller, since its p values are somewhat too small (docs/explanation/drift.md says by how much).
LIMITS: Mapping[Kind, float] = {"look": 0.0025, "mixture": 0.0005}
#: That of each of the two days alone.
LIMIT_OF_A_DAY = 0.05
# The smallest p value is 1 in 2,000.
_ROUNDS, _ROUNDS_AT_ONCE = 1999, 200

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Comparison:
    """How likely live pictures differ as much from labelled ones by chance.

    Attributes:
        p_values: For mixture and look; of a day toward another one, for the look how likely it leans so far that way.
        strongest: The index of the class whose share differs most.
        rises: Whether it comes more often than it was.
        at_least: For each class, how likely its share is so high or higher by chance, of shape (n_classes,).
        at_most: For each class, how likely it is so low or lower.
    """

    p_values: Mapping[Kind, float]
    strongest: int
    rises: bool
    at_least: Floats
    at_most: Floats

    def leans(self, kind: Kind, together: "Comparison") -> bool:
        """Return whether a day alone leans the way that days together do.

        Args:
            kind: In what they differ.
            together: The days together.

        Returns:
            Whether it leans so beyond chance; for the mixture in the share of the same class, and in the same way.
        """
        if kind == "look":
            return self.p_values["look"] <= LIMIT_OF_A_DAY
        tail = self.at_least if together.rises else self.at_most
        return bool(tail[together.strongest] <= LIMIT_OF_A_DAY)


def compare_samples(labelled: Looks, live: Looks, seed: int, toward: Looks | None = None) -> Comparison:
    """Compute how likely live pictures differ as much from labelled ones by chance, in mixture and in look.

    Args:
        labelled: The looks of labelled pictures, without near duplicates among them.
        live: Those of live pictures, likewise.
        seed: Seed of what is drawn.
        toward: Those of another day, which have no near duplicates among the live ones: then the look is compared only
            in what the other day has of its own. None to compare it in everything.

    Returns:
        The comparison.
    """
    chance = np.random.default_rng(seed)
    drawn = _draw_differences(labelled.posteriors, len(live.posteriors), chance)
    real = live.posteriors.mean(axis=0) - labelled.posteriors.mean(axis=0)
    spread = drawn.std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    strongest = int(np.abs(real / scale).argmax())
    largest = np.abs(drawn / scale).max(axis=1)
    p_values: dict[Kind, float] = {
        "mixture": _share(largest >= abs(real[strongest]) / scale[strongest] - 1e-9),
        "look": _compare_looks(labelled, live, chance) if toward is None else _lean_toward(labelled, live, toward),
    }
    at_least, at_most = ((1 + (sign * drawn >= sign * real - 1e-9).sum(axis=0)) / (_ROUNDS + 1) for sign in (1, -1))
    return Comparison(p_values, strongest, bool(real[strongest] > 0), at_least, at_most)


def _draw_differences(labelled: Floats, live: int, chance: np.random.Generator) -> Floats:
    """Draw by how much the mean posteriors of live and of labelled pictures differ by chance.

    Both are drawn anew from labelled pictures (the bootstrap of Efron, "Bootstrap methods", Annals of Statistics 1979).
    Mixing labelled and live pictures, as a permutation does, would count a change of the mixture as chance.

    Returns:
        Differences of shape (n_rounds, n_classes).
    """
    many = len(labelled)
    even = np.full(many, 1 / many)
    counts = (chance.multinomial(drawn, even, size=_ROUNDS) / drawn for drawn in (live, many))
    pictures, reference = (shares @ labelled for shares in counts)
    return np.asarray(pictures - reference)


def _compare_looks(labelled: Looks, live: Looks, chance: np.random.Generator) -> float:
    """Return the p value of the energy distance; only pictures that are nearest to the same class change places.

    So the mixture changes nothing: however many pictures of a class there are, they are compared with their like.

    Returns:
        The p value.
    """
    joined, many = labelled.join(live), len(live.nearest)
    distances = _pairwise_distances(joined.vectors)
    drawn = [_energy(distances, marks, many) for marks in _draw_marks(joined.nearest, many, chance)]
    energies = np.concatenate(drawn)
    return float((energies >= energies[0] - 1e-9 * abs(energies[0])).mean())


def _lean_toward(labelled: Looks, live: Looks, other: Looks) -> float:
    """Return the p value of how much nearer live pictures lie to another day's than labelled ones do.

    A picture's figure is its mean distance to labelled and live pictures less that to the other day's, which is the
    energy distance's witness function. It is the same whichever pictures are called live: so its mean over live
    pictures, of each nearest class as many as there are, has the mean and the variance of a stratified sample.

    Returns:
        The p value, by the normal distribution.
    """
    pool = labelled.join(live)
    distances = _pairwise_distances(pool.join(other).vectors)[: len(pool.nearest)]
    figures = np.split(distances, [len(pool.nearest)], axis=1)
    nearness = figures[0].mean(axis=1, dtype=np.float64) - figures[1].mean(axis=1, dtype=np.float64)
    of_live = np.arange(len(nearness)) >= len(labelled.nearest)
    surplus, variance = 0.0, 0.0
    for nearest in np.unique(pool.nearest):
        within = pool.nearest == nearest
        many, drawn = int(within.sum()), int((within & of_live).sum())
        surplus += float(nearness[within & of_live].sum() - drawn * nearness[within].mean())
        variance += float(nearness[within].var()) * drawn * (many - drawn) / max(many - 1, 1)
    return float(ndtr(-surplus / np.sqrt(variance))) if variance > 0 else 1.0


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
    labelled = len(distances) - live
    sums = marks @ distances
    within = (sums * marks).sum(axis=1, dtype=np.float64)
    of_live = sums.sum(axis=1, dtype=np.float64)
    between, rest = of_live - within, distances.sum(dtype=np.float64) - 2 * of_live + within
    return np.asarray(2 * between / (live * labelled) - within / live**2 - rest / labelled**2)


def _pairwise_distances(vectors: Vectors) -> Vectors:
    """Compute Euclidean distances, of shape (n, n)."""
    wide = vectors.astype(np.float64)
    squares = np.square(wide).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares - 2 * wide @ wide.T, 0)), np.float32)


def _share(as_far: NDArray[np.bool_]) -> float:
    """Return the share of rounds that come as far as what is real, which counts as one of them."""
    return float((1 + as_far.sum()) / (len(as_far) + 1))


def find_drift(together: Comparison, days: Sequence[Comparison]) -> tuple[Kind, ...]:
    """Find in what the pictures of two days running differ from labelled ones.

    A kind has drifted where the pictures of both days together show it beyond chance, and each day alone leans that
    way, so that one person's hundred pictures of one afternoon raise nothing. A changed look changes the mixture as
    well, since unusual pictures lie nearer to some classes than to others; a changed mixture leaves the look as it is.
    So where both have drifted the look is named.

    Args:
        together: The comparison of both days' pictures together.
        days: That of each of the two days alone.

    Returns:
        The kinds; none on a day like the labelled pictures.
    """
    for kind, limit in LIMITS.items():
        if together.p_values[kind] <= limit and all(day.leans(kind, together) for day in days):
            return (kind,)
    return ()
