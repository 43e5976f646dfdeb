"""The space of looks: directions, classes and training images that are looked at as if they were new."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.domain.serving.look_space import cross_fit_looks, fit_look_space

_WIDTH, _CLASSES = 40, 3


def _draw(images: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Draw images of classes that lie apart; some directions vary more than others."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(_CLASSES, size=images)
    spread = 1 / np.sqrt(1 + np.arange(_WIDTH))
    features = 6 * np.eye(_CLASSES, _WIDTH)[truth] + spread * chance.normal(size=(images, _WIDTH))
    return features.astype(np.float32), truth.astype(np.intp)


def test_a_picture_is_compared_with_the_nearest_class() -> None:
    """The look is what is left without that class's mean, whichever class; a class without images is never near."""
    features, truth = _draw(300, 0)
    looks = fit_look_space(features, np.where(truth == 2, 4, truth)).look(features)
    assert set(looks.nearest.tolist()) == {0, 1, 4}
    assert (looks.nearest == np.where(truth == 2, 4, truth)).mean() > 0.99
    for label in (0, 1, 4):
        assert np.abs(looks.vectors[looks.nearest == label].mean(axis=0)).max() < 0.2


def test_posteriors_are_probabilities_of_the_classes_that_have_images() -> None:
    """They add up to one, the nearest class has the largest, and a class without images has none."""
    features, truth = _draw(300, 5)
    looks = fit_look_space(features, np.where(truth == 2, 4, truth)).look(features)
    assert looks.posteriors.shape == (300, 5)
    assert looks.posteriors.sum(axis=1) == pytest.approx(1)
    assert looks.posteriors[:, [2, 3]].max() == 0
    assert (looks.posteriors.argmax(axis=1) == looks.nearest).all()


def test_directions_weigh_by_their_spread() -> None:
    """A direction in which pictures of a class vary much counts less than before, and none counts without bound."""
    features, truth = _draw(2000, 1)
    spreads = fit_look_space(features, truth).look(features).vectors.std(axis=0)
    assert spreads.max() / spreads.min() < 0.6 * np.sqrt(_WIDTH)


def test_training_images_are_looked_at_as_new_ones_are() -> None:
    """By a space of its own fold an image lies nearer to its class than new ones do; cross-fitted it does not."""
    features, truth = _draw(60, 2)
    new, _ = _draw(4000, 3)
    space, rows = fit_look_space(features, truth), np.arange(60)
    crossed = cross_fit_looks(features, truth, rows, rows)
    lengths = [
        np.square(looks.vectors).sum(axis=1).mean() for looks in (space.look(new), crossed, space.look(features))
    ]
    assert lengths[1] == pytest.approx(lengths[0], rel=0.12)
    assert lengths[2] < 0.9 * lengths[0]
    assert cross_fit_looks(features, truth, rows, rows[5:7]).vectors == pytest.approx(crossed.vectors[5:7], abs=1e-5)


def test_near_duplicates_are_held_out_together() -> None:
    """An image whose copy is among the training images is looked at by a space that knows neither."""
    features, truth = _draw(40, 4)
    twice, labels, groups = np.concatenate([features] * 2), np.concatenate([truth] * 2), np.tile(np.arange(40), 2)
    alone, apart = (cross_fit_looks(twice, labels, own, np.arange(40)) for own in (groups, np.arange(80)))
    lengths = [np.square(looks.vectors).sum(axis=1).mean() for looks in (alone, apart)]
    assert lengths[1] < 0.97 * lengths[0]
