"""Two models on the same images."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tasks.domain.evaluation.comparison import EvaluationSet, compare
from tasks.domain.evaluation.paired_tests import PairedDifference
from tests.tasks.domain.measurements import CLASSES, measured, predictions


def measure_difference(
    challenger_wrong: list[int], champion_wrong: list[int], figure: str, of: str = "", images: int = 60
) -> PairedDifference:
    """Compare two models that are wrong about these images, and take one figure."""
    comparison = measured(challenger_wrong, champion_wrong, images).comparison
    assert comparison
    return next(difference for difference in comparison.paired if (difference.figure, difference.of) == (figure, of))


def test_accuracy_is_tested_exactly() -> None:
    """Wins and losses are the images about which one model alone is right, and the p value is that of a coin."""
    difference = measure_difference([0, 1], [2, 3, 4, 5, 6, 7, 8], "accuracy")
    assert (difference.wins, difference.losses, difference.images) == (7, 2, 60)
    assert difference.difference == pytest.approx(5 / 60)
    assert difference.better == pytest.approx(binomtest(7, 9, alternative="greater").pvalue)
    assert difference.worse == pytest.approx(binomtest(2, 9, alternative="greater").pvalue)
    assert difference.least == 0.5**9
    assert difference.low < difference.difference < difference.high


def test_a_slice_within_a_class_is_compared_alone() -> None:
    """The recall of black poodles counts its four images and no other."""
    difference = measure_difference([3, 18], [], "recall", "poodle with coat=black")
    assert (difference.images, difference.challenger, difference.champion) == (4, 0.5, 1.0)
    assert difference.drop == 0.5
    other = measure_difference([3, 18], [], "recall", "poodle with coat=white")
    assert (other.challenger, other.champion, other.worse) == (1.0, 1.0, 1.0)


def test_a_loss_falls_by_rising() -> None:
    """Of the log loss more is worse: the challenger that is more often wrong is behind, and the p value says so."""
    difference = measure_difference([0, 1, 2, 3, 4, 5, 6, 7], [], "log_loss")
    assert difference.drop > 0
    assert difference.worse < 0.01
    assert difference.better > 0.99


def test_alike_images_are_one_witness() -> None:
    """Eight images of one group on which the challenger gains are one win, and the interval is as wide."""
    truth = [number % 5 for number in range(40)]
    wrong = np.arange(40) < 8
    labels = [CLASSES[index] for index in truth]

    def accuracy(groups: list[str]) -> PairedDifference:
        evaluation_set = EvaluationSet(labels, groups, [()] * 40)
        comparison = compare(predictions(truth, np.ones(40, bool)), predictions(truth, ~wrong), evaluation_set)
        return next(difference for difference in comparison.paired if difference.figure == "accuracy")

    alone, alike = accuracy(list(map(str, range(40)))), accuracy([str(number // 8) for number in range(40)])
    assert (alone.wins, alike.wins) == (8, 1)
    assert (alone.better, alike.better) == (0.5**8, 0.5)
    assert alike.high - alike.low > 1.5 * (alone.high - alone.low)


def test_the_same_model_differs_in_nothing() -> None:
    """A model beside itself has no difference, no interval and no evidence, whatever the figure."""
    comparison = measured([0, 7], [0, 7], 60).comparison
    assert comparison
    assert {(difference.difference, difference.low, difference.high) for difference in comparison.paired} == {
        (0.0, 0.0, 0.0)
    }
    assert (
        {difference.better for difference in comparison.paired}
        == {difference.worse for difference in comparison.paired}
        == {1.0}
    )
