"""Training a whole backbone from scratch."""

import numpy as np

from tasks.modeling.backbone.backbone import Backbone, random_backbone
from tasks.modeling.backbone.pretraining import Pictures, train_backbone
from tests.tasks.modeling.random_generators import others_draw


def _pictures(count: int, seed: int) -> Pictures:
    """Draw stripes that run across or down."""
    chance = np.random.default_rng(seed)
    truth = np.arange(count) % 2
    pixels = chance.integers(0, 80, (count, 75, 75, 3), dtype=np.uint8)
    for picture, down in zip(pixels, truth, strict=True):
        start, step = chance.integers(0, 8), chance.integers(5, 9)
        (picture if down else picture.swapaxes(0, 1))[start::step] += 120
    return Pictures(pixels, truth)


def test_what_is_learned_shows_in_inference_at_once() -> None:
    """After 40 steps validation, which uses the moving averages, is as good as training, and every weight moved."""
    epochs: list[dict[str, float]] = []
    trained = train_backbone(
        "mixed0", _pictures(128, 1), _pictures(64, 2), 10, lambda _epoch, metrics: epochs.append(metrics)
    )
    assert epochs[-1]["val_accuracy"] > 0.9
    before, after = random_backbone("mixed0", 75).model.get_weights(), trained.model.get_weights()
    assert [array.shape for array in before] == [array.shape for array in after]
    assert not any(np.array_equal(old, new) for old, new in zip(before, after, strict=True))


def test_training_a_backbone_twice_gives_the_same_backbone() -> None:
    """The command that makes the demo's weights again makes the very same, whatever other threads draw meanwhile."""
    first = _trained()
    with others_draw():
        second = _trained()
    assert first.fingerprint == second.fingerprint


def _trained() -> Backbone:
    return train_backbone("mixed0", _pictures(32, 1), _pictures(8, 2), 1, lambda _epoch, _metrics: None)
