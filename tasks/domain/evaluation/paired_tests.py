"""Paired significance tests between two models on the same images."""

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
_OTHER_FIGURES = tuple(name for name in FIGURES if name != "accuracy")


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The difference in one figure between challenger and champion on the same images.

    Accuracy and recall are tested exactly, by the near-duplicate groups of which one model has more images right than
    the other: the challenger's wins and losses. All other figures are tested by a bootstrap over groups.

    Attributes:
        figure: The name of the figure, such as ``recall``.
        of: The class or slice that it is about; empty where it is about all images.
        images: The number of images behind it.
        groups: The number of near-duplicate groups of all images.
        challenger: The challenger's figure.
        champion: The champion's figure.
        difference: The challenger's figure minus the champion's.
        low: The lower end of the difference's 95% interval.
        high: Its upper end.
        spread: The standard error of the difference.
        better: The one-sided p value that the challenger is better.
        worse: The one-sided p value that it is worse.
        least: The smallest p value that this test could have given.
        wins: The groups of which the challenger has more right; None where the test is not exact.
        losses: The groups of which the champion has more right; None where the test is not exact.
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
        """Return by how much the challenger is worse; negative where it is better."""
        return -self.difference if FIGURES.get(self.figure, True) else self.difference


def compare_paired_figures(
    challenger: ScoredPredictions, champion: ScoredPredictions, membership: SliceMembership, groups: Ints, seed: int = 0
) -> tuple[PairedDifference, ...]:
    """Compare two models in every figure, overall and for each class and slice.

    Near-duplicate groups are drawn with replacement. The intervals come from these rounds, and so do the p values of
    all figures but accuracy and recall.

    Args:
        challenger: The challenger's scored predictions.
        champion: The champion's, of the same images in the same order.
        membership: Which images belong to which slice.
        groups: The number of each image's near-duplicate group, counted from 0, of shape (n_images,).
        seed: Seed of the bootstrap.

    Returns:
        The difference in each figure that exists for both models.
    """
    sets, grouping = _build_membership(challenger, membership), _build_grouping(groups)
    challenger_correct, champion_correct = challenger.correct.astype(np.float64), champion.correct.astype(np.float64)
    sums_by_group = _build_sums(sets, grouping, challenger, champion)
    sums_by_figure = sums_by_group.T.tocsr().astype(np.float32)
    shares, width = sets.shape[1], compute_summands(challenger).shape[1]

    def model_figures(sums: Floats) -> Floats:
        """Compute the figures of both models.

        Args:
            sums: Summed columns of ``_build_sums``, of shape (n_rounds, n_columns).

        Returns:
            Figures of shape (2, n_rounds, n_figures), the challenger's first.
        """
        edges = [shares, 2 * shares, 3 * shares, 3 * shares + width]
        images, *parts = np.split(sums, edges, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack([_compute_figures(parts[i] / images, parts[2 + i]) for i in (0, 1)])

    def differences(counts: np.ndarray) -> Floats:
        """Compute the differences in each round of the bootstrap.

        Args:
            counts: How often each group is drawn, of shape (n_groups, n_rounds).

        Returns:
            Differences of shape (n_rounds, n_figures).
        """
        figures = model_figures((sums_by_figure @ counts).T)
        return np.asarray(figures[0] - figures[1], np.float64)

    drawn = np.concatenate(list(bootstrap(sums_by_group.shape[0], differences, seed)))
    exact = _count_wins_and_losses(grouping @ sets.multiply((challenger_correct - champion_correct)[:, None]).tocsr())
    names = _name_figures(challenger.classes, membership)
    images = _count_images(challenger, sets)
    return _build_differences(
        names,
        images,
        model_figures(np.asarray(sums_by_group.sum(axis=0))[None, :])[:, 0],
        drawn,
        exact,
        sums_by_group.shape[0],
    )


def _build_differences(
    names: list[tuple[str, str]], images: Ints, figures: Floats, drawn: Floats, exact: tuple[Ints, Ints], groups: int
) -> tuple[PairedDifference, ...]:
    """Combine the figures that exist for both models with their intervals and p values.

    Args:
        names: The figure of each column, and its class or slice.
        images: The number of images behind each column, of shape (n_figures,).
        figures: Both models' figures, the challenger's first, of shape (2, n_figures).
        drawn: Bootstrapped differences, of shape (n_rounds, n_figures).
        exact: Wins and losses of the first columns, which are tested exactly.
        groups: The number of near-duplicate groups.

    Returns:
        One difference for each column in which both figures are finite.
    """
    defined = np.flatnonzero(np.isfinite(figures).all(axis=0))
    low, high = percentile_interval(drawn[:, defined])
    spread = np.nanstd(drawn[:, defined], axis=0)
    more_is_better = np.array([FIGURES.get(figure, True) for figure, _ in names])[defined]
    better, worse, least = _compute_p_values(drawn[:, defined] * np.where(more_is_better, 1, -1), defined, exact)
    wins, losses = exact
    return tuple(
        PairedDifference(
            figure=names[column][0],
            of=names[column][1],
            images=int(images[column]),
            groups=groups,
            challenger=float(figures[0, column]),
            champion=float(figures[1, column]),
            difference=float(figures[0, column] - figures[1, column]),
            low=float(low[number]),
            high=float(high[number]),
            spread=float(spread[number]),
            better=float(better[number]),
            worse=float(worse[number]),
            least=float(least[number]),
            wins=int(wins[column]) if column < len(wins) else None,
            losses=int(losses[column]) if column < len(losses) else None,
        )
        for number, column in enumerate(defined.tolist())
    )


def _compute_p_values(ahead: Floats, columns: Ints, exact: tuple[Ints, Ints]) -> tuple[Floats, Floats, Floats]:
    """Compute the p values of columns: the exact ones where wins and losses are counted, else those of the bootstrap.

    Args:
        ahead: By how much the challenger is ahead in each round, of shape (n_rounds, n_columns).
        columns: The number of each column, of shape (n_columns,).
        exact: Wins and losses of the columns with the lowest numbers, each of shape (n_exact,).

    Returns:
        The p values for better and for worse, and the smallest that is possible, each of shape (n_columns,).
    """
    better, worse = bootstrap_p_value(ahead), bootstrap_p_value(-ahead)
    least = np.full(len(columns), 1 / (ROUNDS + 1))
    wins, losses = exact
    is_exact = columns < len(wins)
    tested = columns[is_exact]
    better[is_exact] = mcnemar(wins, losses)[tested]
    worse[is_exact] = mcnemar(losses, wins)[tested]
    least[is_exact] = (0.5 ** (wins + losses))[tested]
    return better, worse, least


def _build_membership(answers: ScoredPredictions, membership: SliceMembership) -> "csr_array":
    """Build the membership matrix.

    Returns:
        CSR matrix of shape (n_images, 1 + n_classes + n_slices); column 0 is all ones.
    """
    from scipy.sparse import csr_array, hstack

    images = len(answers.truth)
    rows, ones = np.arange(images), np.ones(images)
    all_images = csr_array((ones, (rows, np.zeros(images, np.int64))), shape=(images, 1))
    classes = csr_array((ones, (rows, answers.truth)), shape=(images, len(answers.classes)))
    return hstack([all_images, classes, membership.matrix], format="csr")


def _build_grouping(groups: Ints) -> "csr_array":
    from scipy.sparse import csr_array

    images = len(groups)
    return csr_array((np.ones(images), (groups, np.arange(images))), shape=(int(groups.max()) + 1, images))


def _build_sums(
    sets: "csr_array", grouping: "csr_array", challenger: ScoredPredictions, champion: ScoredPredictions
) -> "csr_array":
    """Build the sums of both models side by side, one row a group, so that one product makes all figures of a resample.

    Returns:
        CSR matrix with one row for each group: images of each set, then the challenger's correct predictions in it, the
        champion's, and the summands of both models.
    """
    from scipy.sparse import hstack

    correct = [sets.multiply(answers.correct.astype(np.float64)[:, None]) for answers in (challenger, champion)]
    return (
        grouping @ hstack([sets, *correct, compute_summands(challenger), compute_summands(champion)], format="csr")
    ).tocsr()


def _compute_figures(shares: Floats, sums: Floats) -> Floats:
    """Compute a model's figures in the order of ``_name_figures``.

    Args:
        shares: Accuracy and recalls, of shape (n_rounds, 1 + n_classes + n_slices).
        sums: Summed summands of the model, of shape (n_rounds, n_summands).

    Returns:
        Figures of shape (n_rounds, n_figures).
    """
    overall = figures_from_sums(sums)
    _, hits, guesses = split_class_counts(sums)
    other_figures = np.stack([overall[name] for name in _OTHER_FIGURES], axis=1)
    return np.concatenate([shares, other_figures, hits / guesses], axis=1)


def _name_figures(classes: tuple[str, ...], membership: SliceMembership) -> list[tuple[str, str]]:
    recalls = [("recall", name) for name in (*classes, *map(str, membership.keys))]
    other_figures = [(name, "") for name in _OTHER_FIGURES]
    return [("accuracy", ""), *recalls, *other_figures, *(("precision", name) for name in classes)]


def _count_images(answers: ScoredPredictions, sets: "csr_array") -> Ints:
    counted = np.asarray(sets.sum(axis=0), np.int64).ravel()
    classes = np.bincount(answers.truth, minlength=len(answers.classes))
    return np.concatenate([counted, np.full(len(_OTHER_FIGURES), len(answers.truth)), classes])


def _count_wins_and_losses(net: "csr_array") -> tuple[Ints, Ints]:
    """Count the groups of which one model has more images right than the other.

    Args:
        net: The challenger's correct predictions minus the champion's, of shape (n_groups, n_sets).

    Returns:
        The challenger's wins and its losses, each of shape (n_sets,).
    """
    return np.asarray((net > 0).sum(axis=0), np.int64).ravel(), np.asarray((net < 0).sum(axis=0), np.int64).ravel()
