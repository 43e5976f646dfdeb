"""The nearest training images: exactly those of a search in float64, and what "unusual" promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.domain.serving.nearest import (
    CLOSE,
    SHOWN,
    Rarity,
    TrainingImages,
    explain,
    measure_rarity,
    sort_training_images,
)

_CLASSES = ("boxer", "poodle", "pug")


def _training(features: np.ndarray, labels: list[str] | None = None) -> TrainingImages:
    names = [f"{row * 7919 % 10007:05}" for row in range(len(features))]
    labels = labels or [_CLASSES[row % len(_CLASSES)] for row in range(len(features))]
    return sort_training_images(names, [f"{name}.jpg" for name in names], labels, features)


def _brute_force(training: TrainingImages, query: np.ndarray, label: str) -> list[tuple[str, float]]:
    """Search one class, image by image in float64, with ties in the order of names."""
    likeness = []
    for image, its_label, row in zip(training.images, training.labels, training.features, strict=True):
        wide, other = row.astype(np.float64), query.astype(np.float64)
        lengths = np.sqrt(np.square(wide).sum()) * np.sqrt(np.square(other).sum())
        if its_label == label:
            likeness.append((image, float((wide * other).sum() / lengths) if lengths else 0.0))
    return sorted(likeness, key=lambda pair: (-pair[1], pair[0]))


@given(
    # Few distinct values make many ties, near ties and rows of zeros.
    arrays(np.float32, (30, 9), elements=st.sampled_from([0.0, 0.0, 1.0, 1.0, 1.0001, 1.0002, 7.5])),
    arrays(np.float32, (9,), elements=st.sampled_from([0.0, 1.0, 1.0001, 3.0])),
)
def test_the_nearest_are_those_of_a_search_in_float64(features: np.ndarray, query: np.ndarray) -> None:
    """Names, order and likeness of the nearest are those of brute force, equally similar ones by name."""
    training = _training(features)
    likeness = training.scan(query[None])[:, 0]
    for label in _CLASSES:
        nearest = training.find_nearest(query, likeness, label, 4)
        assert [(neighbour.image, neighbour.likeness) for neighbour in nearest] == _brute_force(training, query, label)[
            :4
        ]


def test_rounding_of_the_scan_exchanges_nothing() -> None:
    """Rows that differ by less than a scan in float32 can tell come in the order of float64."""
    random = np.random.default_rng(0)
    row = np.abs(random.normal(size=2048)).astype(np.float32)
    # Rows of one direction and of many lengths: only rounding, of their numbers and of sums, makes them differ.
    features = (row * random.uniform(0.5, 2, (300, 1))).astype(np.float32)
    training, query = _training(features, ["pug"] * 300), np.abs(random.normal(size=2048)).astype(np.float32)
    likeness = training.scan(query[None])[:, 0]
    nearest = training.find_nearest(query, likeness, "pug", SHOWN)
    expected = _brute_force(training, query, "pug")[:SHOWN]
    assert [(neighbour.image, neighbour.likeness) for neighbour in nearest] == expected
    # What the scan alone calls the nearest ones are others.
    assert {training.images[place] for place in np.argsort(-likeness)[:SHOWN]} != {image for image, _ in expected}


def test_a_training_image_finds_itself() -> None:
    """A picture that was trained on is its own nearest one, and no picture is less unusual."""
    features = np.abs(np.random.default_rng(1).normal(size=(60, 32))).astype(np.float32)
    training = _training(features)
    rarity = measure_rarity(training, np.abs(np.random.default_rng(2).normal(size=(19, 32))).astype(np.float32))
    explanation = explain(training.features[25], {"poodle": 0.9, "pug": 0.1}, training, rarity)
    assert explanation.predicted[0].image == training.images[25]
    assert explanation.predicted[0].likeness == pytest.approx(1)
    assert [neighbour.label for neighbour in explanation.predicted] == ["poodle"] * SHOWN
    assert explanation.unusual == 0


def test_only_a_close_runner_up_is_explained() -> None:
    """The second class is shown from a third of the first one's probability on."""
    training = _training(np.eye(6, dtype=np.float32))
    rarity = measure_rarity(training, training.features)
    far, near = ({"boxer": 0.6, "pug": 0.6 * CLOSE + shift} for shift in (-0.01, 0.01))
    assert explain(training.features[0], far, training, rarity).runner_up == ()
    shown = explain(training.features[0], near, training, rarity).runner_up
    assert {neighbour.label for neighbour in shown} == {"pug"}


def test_a_class_without_training_images_has_no_neighbours() -> None:
    """A model may know a class of which the store has no image any more."""
    training = _training(np.eye(4, dtype=np.float32), ["pug"] * 4)
    explanation = explain(training.features[0], {"beagle": 1.0}, training, measure_rarity(training, training.features))
    assert explanation.predicted == ()
    assert training.counts == {"pug": 4}


@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_few_pictures_like_the_test_images_are_called_unusual(tests: int, seed: int) -> None:
    """Of n + 1 pictures alike, at most a share a has a figure of 1 - a or more when each is compared with the rest."""
    # Rounded, so that ties occur.
    likeness = np.random.default_rng(seed).beta(8, 2, tests + 1).round(2)
    figures = [Rarity(np.sort(np.delete(likeness, row))).unusual(value) for row, value in enumerate(likeness.tolist())]
    for share in (0.01, 0.05, 0.2, 0.5):
        assert sum(figure >= 1 - share - 1e-12 for figure in figures) <= share * (tests + 1) + 1e-9


def test_the_further_out_the_more_unusual() -> None:
    """A picture nearer than all test images is usual, one beyond all of them as unusual as so few can show."""
    rarity = Rarity(np.linspace(0.5, 0.9, 49))
    figures = [rarity.unusual(likeness) for likeness in (0.95, 0.8, 0.6, 0.4)]
    assert figures == sorted(figures)
    assert (figures[0], figures[-1]) == (0, 0.98)
