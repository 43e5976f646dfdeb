"""Two models on the very same images: each figure's difference, its interval, and how likely chance alone made it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs.gate_rules import FIGURES
from tasks.domain.evaluation.predictions import Answers, classes_of, figures_of, parts_of
from tasks.domain.evaluation.slices import Members
from tasks.domain.significance import ROUNDS, Floats, Ints, mcnemar, percentile_interval, resampled, share_above

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Accuracy is the recall of all images together; these are no share of a set of images.
_OTHERS = tuple(name for name in FIGURES if name != "accuracy")


@dataclass(frozen=True, slots=True)
class Paired:
    """One figure of challenger and champion on the same images; ``of`` names the class or slice, if it is of one.

    The interval is a 95% one. ``better`` and ``worse`` are the one-sided p values that the challenger is, ``least`` the
    smallest that could have been, and ``spread`` the standard error. Accuracy and recall are tested exactly, by the
    groups of near duplicates of which one model has more right than the other: those are wins and losses.
    """

    figure: str
    of: str
    images: int
    groups: int
    challenger: float
    champion: float
    difference: float
    low: float
    high: float
    spread: float
    better: float
    worse: float
    least: float
    wins: int | None = None
    losses: int | None = None

    @property
    def fall(self) -> float:
        """Tell by how much the challenger is behind; negative where it is ahead."""
        return -self.difference if FIGURES.get(self.figure, True) else self.difference


def paired(challenger: Answers, champion: Answers, found: Members, groups: Ints, seed: int = 0) -> tuple[Paired, ...]:
    """Compare every figure, class and slice; ``groups`` holds the number of each image's group of near duplicates.

    Groups are drawn with replacement; p values of what is no plain share come from these rounds.
    """
    sets, grouping = _sets(challenger, found), _grouping(groups)
    ours, theirs = challenger.right.astype(np.float64), champion.right.astype(np.float64)
    table = _table(sets, grouping, challenger, champion)
    across = table.T.tocsr().astype(np.float32)
    shares, width = sets.shape[1], parts_of(challenger).shape[1]

    def both(sums: Floats) -> Floats:
        """Turn sums (rounds, parts) into the figures of both models: (2, rounds, figures)."""
        edges = [shares, 2 * shares, 3 * shares, 3 * shares + width]
        images, *parts = np.split(sums, edges, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack([_figures(parts[i] / images, parts[2 + i]) for i in (0, 1)])

    def differences(counts: np.ndarray) -> Floats:
        """Turn how often each group is drawn (groups, rounds) into differences (rounds, figures)."""
        found = both((across @ counts).T)
        return np.asarray(found[0] - found[1], np.float64)

    drawn = np.concatenate(list(resampled(table.shape[0], differences, seed)))
    exact = _exact(grouping @ sets.multiply((ours - theirs)[:, None]).tocsr())
    names = _names(challenger.classes, found)
    images = _images(challenger, sets)
    return _facts(names, images, both(np.asarray(table.sum(axis=0))[None, :])[:, 0], drawn, exact, table.shape[0])


def _facts(
    names: list[tuple[str, str]], images: Ints, both: Floats, drawn: Floats, exact: tuple[Ints, Ints], units: int
) -> tuple[Paired, ...]:
    """Put together what exists of both models; the first names are those that are tested exactly."""
    there = np.flatnonzero(np.isfinite(both).all(axis=0))
    low, high = percentile_interval(drawn[:, there])
    spread = np.nanstd(drawn[:, there], axis=0)
    more = np.array([FIGURES.get(figure, True) for figure, _ in names])[there]
    ahead = drawn[:, there] * np.where(more, 1, -1)
    better, worse = share_above(ahead), share_above(-ahead)
    wins, losses = exact
    exactly = mcnemar(wins, losses), mcnemar(losses, wins), 0.5 ** (wins + losses)

    def chances(number: int, place: int) -> tuple[float, float, float]:
        if place < len(wins):
            return float(exactly[0][place]), float(exactly[1][place]), float(exactly[2][place])
        return float(better[number]), float(worse[number]), 1 / (ROUNDS + 1)

    return tuple(
        Paired(
            *names[place],
            int(images[place]),
            units,
            float(both[0, place]),
            float(both[1, place]),
            float(both[0, place] - both[1, place]),
            float(low[number]),
            float(high[number]),
            float(spread[number]),
            *chances(number, int(place)),
            *_decided(exact, int(place)),
        )
        for number, place in enumerate(there)
    )


def _decided(exact: tuple[Ints, Ints], place: int) -> tuple[int | None, int | None]:
    wins, losses = exact
    return (int(wins[place]), int(losses[place])) if place < len(wins) else (None, None)


def _sets(answers: Answers, found: Members) -> "csr_array":
    """Lay out who belongs to what: (images, 1 + classes + slices), the first of them everyone."""
    from scipy.sparse import csr_array, hstack

    images = len(answers.truth)
    rows, ones = np.arange(images), np.ones(images)
    everyone = csr_array((ones, (rows, np.zeros(images, np.int64))), shape=(images, 1))
    classes = csr_array((ones, (rows, answers.truth)), shape=(images, len(answers.classes)))
    return hstack([everyone, classes, found.matrix], format="csr")


def _grouping(groups: Ints) -> "csr_array":
    from scipy.sparse import csr_array

    images = len(groups)
    return csr_array((np.ones(images), (groups, np.arange(images))), shape=(int(groups.max()) + 1, images))


def _table(sets: "csr_array", grouping: "csr_array", challenger: Answers, champion: Answers) -> "csr_array":
    """Lay out the sums of both models side by side, one row a group, so that a resample is one product."""
    from scipy.sparse import hstack

    right = [sets.multiply(one.right.astype(np.float64)[:, None]) for one in (challenger, champion)]
    return (grouping @ hstack([sets, *right, parts_of(challenger), parts_of(champion)], format="csr")).tocsr()


def _figures(shares: Floats, sums: Floats) -> Floats:
    """Put a model's shares beside its other figures and the precision of its classes: (rounds, figures)."""
    overall = figures_of(sums)
    _, hits, guesses = classes_of(sums)
    others = np.stack([overall[name] for name in _OTHERS], axis=1)
    return np.concatenate([shares, others, hits / guesses], axis=1)


def _names(classes: tuple[str, ...], found: Members) -> list[tuple[str, str]]:
    recalls = [("recall", name) for name in (*classes, *map(str, found.parts))]
    others = [(name, "") for name in _OTHERS]
    return [("accuracy", ""), *recalls, *others, *(("precision", name) for name in classes)]


def _images(answers: Answers, sets: "csr_array") -> Ints:
    counted = np.asarray(sets.sum(axis=0), np.int64).ravel()
    classes = np.bincount(answers.truth, minlength=len(answers.classes))
    return np.concatenate([counted, np.full(len(_OTHERS), len(answers.truth)), classes])


def _exact(net: "csr_array") -> tuple[Ints, Ints]:
    """Count the groups of which one model has more right than the other: (sets,) each."""
    return np.asarray((net > 0).sum(axis=0), np.int64).ravel(), np.asarray((net < 0).sum(axis=0), np.int64).ravel()
