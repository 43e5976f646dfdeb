"""Learning curves: what more images would bring, and when nobody can tell."""

import numpy as np
from numpy.random import Generator

from tasks.domain.evaluation.learning_curves import (
    MORE,
    LabelledFeatures,
    LearningCurves,
    compute_discriminant_scores,
    compute_moments,
    fit_learning_curves,
)
from tasks.domain.evaluation.results import advise_collection
from tests.tasks.domain.measurements import measured

NAMES = tuple(f"breed {number}" for number in range(8))
WIDTH = 64


def draw_features(per_class: int, centres: np.ndarray, chance: Generator) -> LabelledFeatures:
    """Draw so many images of each breed around its centre, each a group of its own."""
    truth = np.arange(per_class * len(NAMES)) % len(NAMES)
    features = (centres[truth] + chance.normal(size=(len(truth), WIDTH))).astype(np.float32)
    groups = [f"{number:016x}" for number in chance.integers(0, 1 << 60, len(truth))]
    return LabelledFeatures(features, [NAMES[number] for number in truth], groups)


def centres(chance: Generator) -> np.ndarray:
    """Draw breeds that take many images to tell apart."""
    return np.asarray(chance.normal(size=(len(NAMES), WIDTH)) / np.sqrt(WIDTH) * 2.2)


def recall(per_class: int, middle: np.ndarray, chance: Generator) -> float:
    """Measure on very many images what heads of so many images of each breed recognise, over a few such heads."""
    queries, recalls = draw_features(500, middle, chance), []
    truth = np.array([NAMES.index(label) for label in queries.labels])
    for _ in range(8):
        train = draw_features(per_class, middle, chance)
        labels = np.array([NAMES.index(label) for label in train.labels])
        guesses = compute_discriminant_scores(
            [compute_moments(train.features, labels, len(NAMES))], queries.features
        ).argmax(axis=1)
        recalls.append(float((guesses == truth).mean()))
    return float(np.mean(recalls))


def curves(per_class: int, seed: int = 0, minimum: int = 10) -> LearningCurves:
    """Draw a dataset and its learning curves."""
    chance = np.random.default_rng(seed)
    middle = centres(chance)
    train, validation = draw_features(per_class, middle, chance), draw_features(20, middle, chance)
    return fit_learning_curves(train, validation, dict.fromkeys(NAMES, per_class), minimum)


def test_the_gain_is_what_more_images_really_bring() -> None:
    """On drawn breeds, what 50 more images of each truly bring lies in the interval; it holds on each of four draws."""
    for seed in range(4):
        chance = np.random.default_rng(seed)
        middle = centres(chance)
        curve = curves(60, seed).overall
        assert curve is not None
        truly = recall(60 + MORE, middle, chance) - recall(60, middle, chance)
        assert curve.low <= truly <= curve.high, seed
        assert 0 < curve.low < (curve.gain or 0) < curve.high < 0.15


def test_the_same_images_give_the_same_curves() -> None:
    """Nothing depends on chance."""
    assert curves(40) == curves(40)


def test_recall_grows_along_a_curve() -> None:
    """Each curve tells nested sizes, quarters of all there are, and heads of more images recognise more."""
    curve = curves(80).overall
    assert curve is not None
    assert curve.sizes == (160, 320, 480, 640)
    assert list(curve.recalls) == sorted(curve.recalls)


def test_of_few_images_nobody_can_tell() -> None:
    """A class of few training or few validation images has no gain, and without two known classes nothing is drawn."""
    chance = np.random.default_rng(0)
    middle = centres(chance)
    train, validation = draw_features(40, middle, chance), draw_features(20, middle, chance)
    images = {**dict.fromkeys(NAMES, 40), NAMES[0]: 7, "not validated": 40}
    learning_curves = fit_learning_curves(train, validation, images, 10)
    assert [entry.label for entry in learning_curves.classes if entry.gain is None] == [NAMES[0], "not validated"]
    unknown = curves(40, minimum=21)
    assert unknown.overall is None
    assert [entry.gain for entry in unknown.classes] == [None] * len(NAMES)
    empty = LabelledFeatures(np.empty((0, 1), np.float32), [], [])
    assert fit_learning_curves(empty, empty, {}, 10) == LearningCurves()


def test_a_class_without_a_mistake_may_still_gain() -> None:
    """That none of twenty images is mistaken does not mean that none of all would be: the interval is not nothing."""
    chance = np.random.default_rng(0)
    middle = 20 * centres(chance)
    curves = fit_learning_curves(
        draw_features(40, middle, chance), draw_features(20, middle, chance), dict.fromkeys(NAMES, 40), 10
    )
    for entry in curves.classes:
        assert entry.recalls[-1] == 1
        assert (entry.gain, entry.low) == (0, 0)
        assert 0.05 < entry.high < 0.2


def test_what_helps_most_is_collected_first() -> None:
    """Classes with a gain come first, the largest on top; then what is weak, then what is unknown."""
    test = measured([0, 5, 10, 15], None)
    grown = fit_learning_curves(*_two("beagle", "boxer"), {"beagle": 60, "boxer": 60}, 10)
    advice = advise_collection(test.figures, test.slices, 10, grown.classes)
    gains = [item.gain for item in advice if item.gain is not None]
    assert gains == sorted(gains, reverse=True)
    assert [item.gain is None for item in advice] == sorted(item.gain is None for item in advice)
    assert len({(item.of, item.gain is None) for item in advice}) == len(advice)
    assert "50 more images would likely add" in advice[0].why


def _two(*names: str) -> tuple[LabelledFeatures, LabelledFeatures]:
    chance = np.random.default_rng(0)
    middle = centres(chance)[: len(names)] * 0.6

    def draw(per_class: int) -> LabelledFeatures:
        truth = np.arange(per_class * len(names)) % len(names)
        features = (middle[truth] + chance.normal(size=(len(truth), WIDTH))).astype(np.float32)
        return LabelledFeatures(
            features, [names[number] for number in truth], [f"{number:08x}" for number in range(len(truth))]
        )

    return draw(60), draw(30)
