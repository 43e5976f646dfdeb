"""Two models on the very same images: each figure's difference, its interval, and how likely chance alone made it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs.gate_rules import FIGURES
from tasks.domain.evaluation.predictions import (
    ScoredPredictions,
    compute_summands,
    figures_from_sums,
    split_class_counts,
)
from tasks.domain.evaluation.slices import SliceMembership
from tasks.domain.significance import ROUNDS, Floats, Ints, bootstrap, bootstrap_p_value, mcnemar, percentile_interval

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Accuracy is the recall of all images together; these are no share of a set of images.
_OTHERS = tuple(name for name in FIGURES if name != "accuracy")


@dataclass(frozen=True, slots=True)
class PairedDifference:
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
    def drop(self) -> float:
        """Tell by how much the challenger is behind; negative where it is ahead."""
        return -self.difference if FIGURES.get(self.figure, True) else self.difference


def compare_paired_figures(
    challenger: ScoredPredictions, champion: ScoredPredictions, membership: SliceMembership, groups: Ints, seed: int = 0
) -> tuple[PairedDifference, ...]:
    """Compare every figure, class and slice; ``groups`` holds the number of each image's group of near duplicates.

    Groups are drawn with replacement; p values of what is no plain share come from these rounds.
    """
    sets, grouping = _sets(challenger, membership), _grouping(groups)
    challenger_right, champion_right = challenger.correct.astype(np.float64), champion.correct.astype(np.float64)
    table = _table(sets, grouping, challenger, champion)
    across = table.T.tocsr().astype(np.float32)
    shares, width = sets.shape[1], compute_summands(challenger).shape[1]

    def model_figures(sums: Floats) -> Floats:
        """Turn sums (rounds, parts) into the figures of both models: (2, rounds, figures)."""
        edges = [shares, 2 * shares, 3 * shares, 3 * shares + width]
        images, *parts = np.split(sums, edges, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack([_figures(parts[i] / images, parts[2 + i]) for i in (0, 1)])

    def differences(counts: np.ndarray) -> Floats:
        """Turn how often each group is drawn (groups, rounds) into differences (rounds, figures)."""
        figures = model_figures((across @ counts).T)
        return np.asarray(figures[0] - figures[1], np.float64)

    drawn = np.concatenate(list(bootstrap(table.shape[0], differences, seed)))
    exact = _exact(grouping @ sets.multiply((challenger_right - champion_right)[:, None]).tocsr())
    names = _names(challenger.classes, membership)
    images = _images(challenger, sets)
    return _build_differences(
        names, images, model_figures(np.asarray(table.sum(axis=0))[None, :])[:, 0], drawn, exact, table.shape[0]
    )


def _build_differences(
    names: list[tuple[str, str]], images: Ints, figures: Floats, drawn: Floats, exact: tuple[Ints, Ints], units: int
) -> tuple[PairedDifference, ...]:
    """Put together what exists of both models; the first names are those that are tested exactly."""
    defined = np.flatnonzero(np.isfinite(figures).all(axis=0))
    low, high = percentile_interval(drawn[:, defined])
    spread = np.nanstd(drawn[:, defined], axis=0)
    more = np.array([FIGURES.get(figure, True) for figure, _ in names])[defined]
    ahead = drawn[:, defined] * np.where(more, 1, -1)
    better, worse = bootstrap_p_value(ahead), bootstrap_p_value(-ahead)
    wins, losses = exact
    exactly = mcnemar(wins, losses), mcnemar(losses, wins), 0.5 ** (wins + losses)

    def chances(number: int, column: int) -> tuple[float, float, float]:
        if column < len(wins):
            return float(exactly[0][column]), float(exactly[1][column]), float(exactly[2][column])
        return float(better[number]), float(worse[number]), 1 / (ROUNDS + 1)

    return tuple(
        PairedDifference(
            *names[column],
            int(images[column]),
            units,
            float(figures[0, column]),
            float(figures[1, column]),
            float(figures[0, column] - figures[1, column]),
            float(low[number]),
            float(high[number]),
            float(spread[number]),
            *chances(number, int(column)),
            *_wins_and_losses(exact, int(column)),
        )
        for number, column in enumerate(defined)
    )


def _wins_and_losses(exact: tuple[Ints, Ints], column: int) -> tuple[int | None, int | None]:
    wins, losses = exact
    return (int(wins[column]), int(losses[column])) if column < len(wins) else (None, None)


def _sets(answers: ScoredPredictions, membership: SliceMembership) -> "csr_array":
    """Lay out who belongs to what: (images, 1 + classes + slices), the first of them everyone."""
    from scipy.sparse import csr_array, hstack

    images = len(answers.truth)
    rows, ones = np.arange(images), np.ones(images)
    everyone = csr_array((ones, (rows, np.zeros(images, np.int64))), shape=(images, 1))
    classes = csr_array((ones, (rows, answers.truth)), shape=(images, len(answers.classes)))
    return hstack([everyone, classes, membership.matrix], format="csr")


def _grouping(groups: Ints) -> "csr_array":
    from scipy.sparse import csr_array

    images = len(groups)
    return csr_array((np.ones(images), (groups, np.arange(images))), shape=(int(groups.max()) + 1, images))


def _table(
    sets: "csr_array", grouping: "csr_array", challenger: ScoredPredictions, champion: ScoredPredictions
) -> "csr_array":
    """Lay out the sums of both models side by side, one row a group, so that a resample is one product."""
    from scipy.sparse import hstack

    right = [sets.multiply(answers.correct.astype(np.float64)[:, None]) for answers in (challenger, champion)]
    return (
        grouping @ hstack([sets, *right, compute_summands(challenger), compute_summands(champion)], format="csr")
    ).tocsr()


def _figures(shares: Floats, sums: Floats) -> Floats:
    """Put a model's shares beside its other figures and the precision of its classes: (rounds, figures)."""
    overall = figures_from_sums(sums)
    _, hits, guesses = split_class_counts(sums)
    other_figures = np.stack([overall[name] for name in _OTHERS], axis=1)
    return np.concatenate([shares, other_figures, hits / guesses], axis=1)


def _names(classes: tuple[str, ...], membership: SliceMembership) -> list[tuple[str, str]]:
    recalls = [("recall", name) for name in (*classes, *map(str, membership.keys))]
    other_figures = [(name, "") for name in _OTHERS]
    return [("accuracy", ""), *recalls, *other_figures, *(("precision", name) for name in classes)]


def _images(answers: ScoredPredictions, sets: "csr_array") -> Ints:
    counted = np.asarray(sets.sum(axis=0), np.int64).ravel()
    classes = np.bincount(answers.truth, minlength=len(answers.classes))
    return np.concatenate([counted, np.full(len(_OTHERS), len(answers.truth)), classes])


def _exact(net: "csr_array") -> tuple[Ints, Ints]:
    """Count the groups of which one model has more right than the other: (sets,) each."""
    return np.asarray((net > 0).sum(axis=0), np.int64).ravel(), np.asarray((net < 0).sum(axis=0), np.int64).ravel()
