"""Cross-fitting: every image is judged by a head that saw nothing like it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.modeling.head import cross_fitting
from tasks.modeling.head.cross_fitting import (
    CrossFit,
    FitOptions,
    FoldedImages,
    assign_folds,
    cross_fit,
    out_of_fold,
)
from tasks.modeling.head.head import Numbers

_WIDTH = 24


def _drawn(truth: list[int], seed: int, apart: float = 1.0) -> Numbers:
    """Draw features around one middle a class."""
    middles = np.random.default_rng(7).normal(scale=apart, size=(max(truth) + 1, _WIDTH))
    return (middles[truth] + np.random.default_rng(seed).normal(size=(len(truth), _WIDTH))).astype(np.float32)


def _alone(truth: list[int]) -> list[str]:
    return [f"group {index}" for index in range(len(truth))]


def _log_loss(probabilities: NDArray[np.float64], truth: list[int]) -> float:
    return float(-np.log(probabilities[np.arange(len(truth)), truth]).mean())


def test_classes_that_can_be_told_apart_are() -> None:
    """Each image gets probabilities that add up to one, and nearly all of the likeliest classes are right."""
    truth = [0, 1, 2] * 40
    predictions = out_of_fold(_drawn(truth, 1), truth, _alone(truth))
    assert predictions.shape == (120, 3)
    assert predictions.sum(axis=1) == pytest.approx(1)
    assert (predictions.argmax(axis=1) == truth).mean() > 0.9


def test_a_group_never_judges_itself() -> None:
    """Copies of an image in its own group tell nothing about it: where labels are drawn by chance, nothing is known."""
    chance = np.random.default_rng(3)
    labels = chance.permutation([0, 1] * 60)
    features = chance.normal(size=(120, 200)).astype(np.float32)
    truth, twice = np.repeat(labels, 2).tolist(), np.repeat(features, 2, axis=0)
    predictions = out_of_fold(twice, truth, np.repeat(_alone(labels.tolist()), 2).tolist())
    assert _log_loss(predictions, truth) > np.log(2) - 0.05
    assert _log_loss(out_of_fold(twice, truth, _alone(truth)), truth) < 0.5


def test_each_class_is_in_all_folds() -> None:
    """Twelve groups of each class lie two or three in a fold, groups stay whole, and another seed deals otherwise."""
    truth = np.repeat([0, 1, 2], 24)
    groups = [f"group {index // 2}" for index in range(72)]
    folds = assign_folds(truth, groups, 0)
    counts = np.array([np.bincount(folds[truth == label], minlength=5) // 2 for label in range(3)])
    assert counts.min() == 2
    assert counts.max() == 3
    assert np.array_equal(folds[::2], folds[1::2])
    assert np.array_equal(assign_folds(truth[::-1], groups[::-1], 0)[::-1], folds)
    assert not np.array_equal(assign_folds(truth, groups, 1), folds)


def test_a_class_of_one_group_is_chosen_by_nobody() -> None:
    """An image whose class no other group has does not decide about strength and temperature, and others are judged."""
    truth = [0, 1] * 40 + [2] * 5
    groups = [*_alone(truth)[:80], *["one"] * 5]
    predictions = out_of_fold(_drawn(truth, 1), truth, groups)
    assert (predictions.argmax(axis=1) == truth)[:80].mean() > 0.9
    assert predictions[80:, 2].max() < 0.1
    assert _log_loss(predictions[:80], truth[:80]) < 0.3


def test_where_nothing_can_be_held_out_a_sentence_says_so() -> None:
    """Classes of one group each cannot be cross-validated."""
    truth = [0, 0, 1, 1]
    with pytest.raises(PedigreeError, match="No class has two photographs that do not look alike"):
        out_of_fold(_drawn(truth, 1), truth, ["a", "a", "b", "b"])


def test_the_harder_the_features_the_stronger_the_decay() -> None:
    """Features that tell little get a stronger weight decay than features that tell much, and noise gets the most."""
    truth = np.array([0, 1, 2] * 60)
    strengths = [
        cross_fit(
            FoldedImages(_drawn(truth.tolist(), 1, apart), truth, assign_folds(truth, _alone(truth.tolist()), 0)),
            FitOptions(),
        ).strength
        for apart in (0.0, 0.3, 2.0)
    ]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] > 10 * strengths[-1]


def test_a_path_ends_where_the_loss_rises() -> None:
    """Each strength is told with its figures, and two strengths after the best the path ends."""
    truth = np.array([0, 1, 2] * 60)
    losses: list[float] = []
    folded = FoldedImages(_drawn(truth.tolist(), 1, 0.3), truth, assign_folds(truth, _alone(truth.tolist()), 0))
    chosen = cross_fit(folded, FitOptions(), lambda _, figures: losses.append(figures["validation_loss"]))
    best = int(np.argmin(losses))
    assert len(losses) == best + 3
    assert chosen.strength == FitOptions().strengths[best]


@pytest.mark.parametrize("cores", [2, 3, 8])
def test_heads_that_are_fitted_side_by_side_have_the_same_bits(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    """However many cores there are, and whether or not one head is left over for all of them, no bit changes."""
    truth = np.array([0, 1, 2] * 250)
    folded = FoldedImages(_drawn(truth.tolist(), 1), truth, assign_folds(truth, _alone(truth.tolist()), 0))

    def fit(count: int) -> CrossFit:
        monkeypatch.setattr(cross_fitting, "count_cores", lambda: count)
        return cross_fit(folded, FitOptions())

    alone, together = fit(1), fit(cores)
    assert together.logits.tobytes() == alone.logits.tobytes()
    assert [theta.tobytes() for theta in together.thetas.values()] == [
        theta.tobytes() for theta in alone.thetas.values()
    ]
