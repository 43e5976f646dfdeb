"""Figures of a model, checked against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss

from tasks.domain.comparison import Comparison, Predictions, compare
from tasks.domain.metrics import figures

CLASSES = ("boxer", "poodle", "pug")


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_figures_are_those_of_scikit_learn(seed: int, images: int) -> None:
    """Accuracy, macro F1 and log loss are what scikit-learn computes from the same probabilities."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([1, 1, 1], images).astype(np.float32)
    truth = random.integers(0, 3, images)
    guesses = probabilities.argmax(axis=1)
    found = figures(probabilities, truth.tolist(), CLASSES)
    assert found.accuracy == pytest.approx(accuracy_score(truth, guesses))
    assert found.macro_f1 == pytest.approx(f1_score(truth, guesses, average="macro", zero_division=0))
    exact = probabilities.astype(np.float64) / probabilities.sum(axis=1, keepdims=True)
    assert found.log_loss == pytest.approx(log_loss(truth, exact, labels=[0, 1, 2]), rel=1e-4)


def test_a_class_without_images_has_no_recall() -> None:
    """Nothing is said of a class that the test images do not hold, and its support is nought."""
    found = figures(np.array([[0.9, 0.1, 0.0]], np.float32), [0], CLASSES)
    assert found.recall == {"boxer": 1.0, "poodle": None, "pug": None}
    assert found.flat()["support/pug"] == 0
    assert "recall/pug" not in found.flat()


def test_models_are_compared_on_the_classes_that_both_know() -> None:
    """An image of a class that the champion never learned does not count for or against either model."""
    challenger = Predictions(CLASSES, np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], np.float32))
    champion = Predictions(CLASSES[:2], np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]], np.float32))
    found = compare(challenger, champion, ["boxer", "poodle", "pug"])
    assert (found.images, found.challenger, found.champion) == (2, 1.0, 0.5)
    assert found.classes() == {"shared": ("boxer", "poodle"), "only_challenger": ("pug",), "only_champion": ()}


def test_models_without_a_class_in_common_are_not_compared() -> None:
    """Where no image is of a shared class, there are no accuracies, and the classes are named all the same."""
    challenger = Predictions(CLASSES, np.ones((3, 3), np.float32))
    found = compare(challenger, Predictions(("husky",), np.ones((3, 1), np.float32)), ["pug"] * 3)
    assert found == Comparison((), CLASSES, ("husky",), images=0, challenger=None, champion=None)


def test_a_vanished_class_is_a_wrong_answer() -> None:
    """A champion that answers with a class which is gone is wrong about an image of a shared class."""
    challenger = Predictions(CLASSES[:2], np.array([[0.9, 0.1]], np.float32))
    champion = Predictions(CLASSES, np.array([[0.3, 0.1, 0.6]], np.float32))
    found = compare(challenger, champion, ["boxer"])
    assert (found.challenger, found.champion, found.only_champion) == (1.0, 0.0, ("pug",))


def test_renamed_classes_keep_their_probabilities() -> None:
    """Two names that have become one class have one column, with the sum of what each was given."""
    former = Predictions(("boxer", "pudel", "poodle"), np.array([[0.4, 0.35, 0.25]], np.float32))
    found = former.named(["boxer", "poodle", "poodle"])
    assert found.classes == ("boxer", "poodle")
    assert found.labels() == ["poodle"]
    assert found.probabilities.tolist() == [pytest.approx([0.4, 0.6])]
