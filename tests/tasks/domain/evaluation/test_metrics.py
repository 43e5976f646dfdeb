"""Figures of a model, checked against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from tasks.domain.evaluation.comparison import Comparison, EvaluationSet, compare
from tasks.domain.evaluation.metrics import Figures, compute_figures
from tasks.domain.evaluation.predictions import Predictions, score_predictions
from tasks.domain.training.calibration import calibration_error

CLASSES = ("boxer", "poodle", "pug", "vizsla", "whippet")


def measured(probabilities: NDArray[np.float32], truth: list[int], threshold: float = 0.0) -> Figures:
    """Measure probabilities of the first classes."""
    names = CLASSES[: probabilities.shape[1]]
    return compute_figures(
        score_predictions(Predictions(names, probabilities, threshold), [names[index] for index in truth], names)
    )


def evaluation_set(*labels: str) -> EvaluationSet:
    """Make test images of these classes, each a group of its own."""
    return EvaluationSet(labels, list(map(str, range(len(labels)))), [()] * len(labels))


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_figures_are_those_of_scikit_learn(seed: int, images: int) -> None:
    """Each figure, overall and by class, is what scikit-learn computes from the same probabilities."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([1] * 5, images).astype(np.float32)
    truth = random.integers(0, 5, images)
    guesses, every = probabilities.argmax(axis=1), list(range(5))
    figures = measured(probabilities, truth.tolist())
    assert figures.overall["accuracy"] == pytest.approx(accuracy_score(truth, guesses))
    assert figures.overall["top_3"] == pytest.approx(top_k_accuracy_score(truth, probabilities, k=3, labels=every))
    assert figures.overall["macro_f1"] == pytest.approx(f1_score(truth, guesses, average="macro", zero_division=0))
    exact = probabilities.astype(np.float64) / probabilities.sum(axis=1, keepdims=True)
    assert figures.overall["log_loss"] == pytest.approx(log_loss(truth, exact, labels=every), rel=1e-4)
    assert figures.overall["ece"] == pytest.approx(calibration_error(probabilities, truth))
    precision, recall, _, support = precision_recall_fscore_support(truth, guesses, labels=every, zero_division=np.nan)
    assert [entry.images for entry in figures.classes] == support.tolist()
    for figure, expected in (("precision", precision), ("recall", recall)):
        assert [getattr(class_name, figure) for class_name in figures.classes] == [
            None if np.isnan(value) else pytest.approx(value) for value in expected
        ]
    table = confusion_matrix(truth, guesses, labels=every)
    pairs = {(CLASSES[i], CLASSES[j]): int(table[i, j]) for i in every for j in every if i != j and table[i, j]}
    assert {
        (confused_pair.truth, confused_pair.guess): confused_pair.images for confused_pair in figures.confused
    } == pairs
    assert sum(reliability_bin.images for reliability_bin in figures.reliability) == images


def test_a_class_without_images_has_no_recall() -> None:
    """Nothing is said of a class that the test images do not hold, and its support is nought."""
    figures = measured(np.array([[0.9, 0.1, 0.0]], np.float32), [0])
    assert [entry.recall for entry in figures.classes] == [1.0, None, None]
    assert figures.to_metrics()["support/pug"] == 0
    assert "recall/pug" not in figures.to_metrics()


def test_a_class_of_few_images_is_unknown() -> None:
    """Below the minimum neither recall nor precision is a figure in MLflow; its images are counted all the same."""
    answers = score_predictions(
        Predictions(CLASSES[:2], np.eye(2, dtype=np.float32)[[0, 0, 1]]), ["boxer"] * 2 + ["poodle"], CLASSES[:2]
    )
    figures = compute_figures(answers, minimum=2)
    assert [entry.known for entry in figures.classes] == [True, False]
    assert {"recall/boxer", "precision/boxer", "support/poodle"} <= figures.to_metrics().keys()
    assert not {"recall/poodle", "precision/poodle"} & figures.to_metrics().keys()


def test_a_model_that_is_never_sure_has_no_precision_when_sure() -> None:
    """The figure is left out rather than made up."""
    figures = measured(np.array([[0.9, 0.1]], np.float32), [0], threshold=2.0)
    assert figures.overall["coverage"] == 0
    assert "precision_when_sure" not in figures.overall


def test_models_are_compared_on_the_classes_that_both_know() -> None:
    """An image of a class that the champion never learned does not count for or against either model."""
    names = CLASSES[:3]
    challenger = Predictions(names, np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], np.float32))
    champion = Predictions(names[:2], np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]], np.float32))
    comparison = compare(challenger, champion, evaluation_set("boxer", "poodle", "pug"))
    assert (comparison.images, comparison.challenger, comparison.champion) == (2, 1.0, 0.5)
    assert comparison.classes() == {"shared": ("boxer", "poodle"), "only_challenger": ("pug",), "only_champion": ()}


def test_models_without_a_class_in_common_are_not_compared() -> None:
    """Where no image is of a shared class, there are no accuracies, and the classes are named all the same."""
    challenger = Predictions(CLASSES, np.ones((3, 5), np.float32))
    comparison = compare(
        challenger, Predictions(("husky",), np.ones((3, 1), np.float32)), evaluation_set("pug", "pug", "pug")
    )
    assert comparison == Comparison((), CLASSES, ("husky",), images=0, challenger=None, champion=None)


def test_a_vanished_class_is_a_wrong_answer() -> None:
    """A champion that answers with a class which is gone is wrong about an image of a shared class."""
    challenger = Predictions(CLASSES[:2], np.array([[0.9, 0.1]], np.float32))
    champion = Predictions(CLASSES[:3], np.array([[0.3, 0.1, 0.6]], np.float32))
    comparison = compare(challenger, champion, evaluation_set("boxer"))
    assert (comparison.challenger, comparison.champion, comparison.only_champion) == (1.0, 0.0, ("pug",))


def test_renamed_classes_keep_their_probabilities() -> None:
    """Two names that have become one class have one column, with the sum of what each was given."""
    former = Predictions(("boxer", "pudel", "poodle"), np.array([[0.4, 0.35, 0.25]], np.float32), threshold=0.5)
    renamed = former.rename_classes(["boxer", "poodle", "poodle"])
    assert (renamed.classes, renamed.threshold) == (("boxer", "poodle"), 0.5)
    assert renamed.labels() == ["poodle"]
    assert renamed.probabilities.tolist() == [pytest.approx([0.4, 0.6])]
