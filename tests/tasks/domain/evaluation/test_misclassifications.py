"""Misclassified images: which are shown, what flipped between two models, and the nearest training images."""

import numpy as np

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.learning_curves import LearningCurve
from tasks.domain.evaluation.metrics import measure_models
from tasks.domain.evaluation.misclassifications import (
    MOST,
    Query,
    find_misclassifications,
    find_nearest,
    find_prediction_flips,
)
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.evaluation.results import advise_collection
from tests.tasks.domain.measurements import make_evaluation_set, predictions

_CLASSES = ("boxer", "poodle", "pug")


def _predicting(*answers: str) -> Predictions:
    rows = [[0.8 if name == answer else 0.1 for name in _CLASSES] for answer in answers]
    return Predictions(_CLASSES, np.array(rows, np.float32))


def test_flips_are_told_apart_by_what_they_did() -> None:
    """An answer may have become right, wrong, or another wrong one; one that stayed is no flip."""
    rows = [Row(f"{number:064}", "pug", Split.TEST, (), f"pug/{number}.jpg") for number in range(4)]
    flips = find_prediction_flips(
        rows, _predicting("pug", "pug", "boxer", "boxer"), _predicting("pug", "boxer", "pug", "poodle")
    )
    assert flips.images == 4
    kinds = {flip.kind: (flip.image, flip.before, flip.after) for flip in flips.flips}
    assert kinds == {
        "now wrong": (rows[1].image, "pug", "boxer"),
        "now right": (rows[2].image, "boxer", "pug"),
        "wrong in another way": (rows[3].image, "boxer", "poodle"),
    }
    assert [item.key for item in flips.select("now right")] == ["pug/2.jpg"]
    assert [flip["kind"] for flip in flips.to_dict()["flips"]] == ["now wrong", "now right", "wrong in another way"]


CLASSES = ("boxer", "pug")


def rows(*labels: str) -> list[Row]:
    """Make one test image of each label, named by its place."""
    return [Row(f"image {n}", label, Split.TEST, (), f"{label}/{n}.jpg") for n, label in enumerate(labels)]


def says(*boxer: float, classes: tuple[str, ...] = CLASSES) -> Predictions:
    """Make a model that finds the first of two classes this likely, image by image."""
    likely = np.array(boxer, np.float32)
    return Predictions(classes, np.stack([likely, 1 - likely], axis=1))


def test_the_surest_mistake_comes_first() -> None:
    """Mistakes are counted, told with what they were taken for, and ordered by how sure the model was."""
    result = find_misclassifications(rows("pug", "pug", "boxer", "boxer"), says(0.6, 0.9, 0.9, 0.2), None)
    assert [(item.key, item.truth, item.guess) for item in result.worst] == [
        ("pug/1.jpg", "pug", "boxer"),
        ("boxer/3.jpg", "boxer", "pug"),
        ("pug/0.jpg", "pug", "boxer"),
    ]
    assert (result.images, result.total, result.fixed, result.new) == (4, 3, (), ())
    many = find_misclassifications(rows(*["pug"] * 30), says(*[0.9] * 30), None)
    assert (many.total, len(many.worst)) == (30, MOST)


def test_what_is_fixed_and_what_is_new() -> None:
    """Fixed is what only the champion mistakes, with its answer; new is what only the challenger does."""
    result = find_misclassifications(rows("pug", "pug", "boxer"), says(0.1, 0.9, 0.3), says(0.8, 0.2, 0.3))
    assert [
        (misclassification.key, misclassification.guess, round(misclassification.confidence, 3))
        for misclassification in result.fixed
    ] == [("pug/0.jpg", "boxer", 0.8)]
    assert [item.key for item in result.new] == ["pug/1.jpg"]
    assert (result.fixed_total, result.new_total) == (1, 1)


def test_a_class_that_one_model_does_not_know_is_neither_fixed_nor_new() -> None:
    """A champion cannot be right about a class that came after it, so nothing of that class counts as fixed."""
    result = find_misclassifications(rows("pug", "boxer"), says(0.1, 0.9), says(0.9, 0.9, classes=("boxer", "corgi")))
    assert (result.fixed_total, result.new_total) == (0, 0)


def test_the_nearest_images_are_those_of_the_class_that_point_the_same_way() -> None:
    """Length does not matter, other classes do not count, and it is the same in one block or in many."""
    rows = [Row(f"t{n}", label, Split.TRAIN, (), f"t{n}.jpg") for n, label in enumerate(("pug", "pug", "boxer", "pug"))]
    features = np.array([[1, 0.5], [9, 0.9], [1, 0], [0, 1]], np.float32)
    queries = [Query(np.array([2, 0], np.float32), label) for label in CLASSES]
    boxer, pug = find_nearest(queries, [(rows, features)])
    assert [neighbour.image for neighbour in boxer] == ["t2"]
    assert [neighbour.image for neighbour in pug] == ["t1", "t0"]
    assert round(boxer[0].likeness, 6) == 1
    assert find_nearest(queries, [([row], features[n : n + 1]) for n, row in enumerate(rows)]) == [boxer, pug]
    assert find_nearest([], [(rows, features)]) == []


def test_features_of_nought_are_like_nothing() -> None:
    """A picture without any feature has likeness nought to all, and not no number."""
    ((nearest,),) = find_nearest([Query(np.zeros(2, np.float32), "pug")], [(rows("pug"), np.ones((1, 2), np.float32))])
    assert nearest.likeness == 0


def test_what_is_certainly_bad_is_wanted_first_and_what_is_unknown_last() -> None:
    """A class whose whole interval is below the accuracy comes before classes with too few test images."""
    chance = np.random.default_rng(0)
    truth = [0] * 40 + [1] * 40 + [2] * 3
    right = np.array([True] * 40 + [False] * 20 + [True] * 23)
    result = measure_models(predictions(truth, right), None, make_evaluation_set(truth, chance), 10)
    classes = [
        advice for advice in advise_collection(result.figures, (), 10) if advice.of in {"beagle", "boxer", "husky"}
    ]
    assert [advice.of for advice in classes] == ["boxer", "husky"]
    assert classes[0].why == "50.0% of 40 test images are recognised, 75.9% of all"
    assert classes[1].why == "3 test images: 7 more, and it is known"
    helped = LearningCurve("husky", 20, 20, gain=0.1, low=0.05, high=0.2)
    every = [advice.of for advice in advise_collection(result.figures, result.slices, 10, [helped])]
    assert every[0] == "husky"
    assert every.index("boxer") < len(every) - 1 - every[::-1].index("husky"), "a class that more helps stays unknown"
    assert not any(of.startswith("husky with") for of in every), "nor is a slice of an unknown class any advice"
