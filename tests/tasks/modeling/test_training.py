"""Training a head: it learns, it stops in time, and it never ends in numbers that are none."""

from collections.abc import Mapping

import numpy as np
import pytest

from configs.problems import Problem
from configs.schema import Training
from tasks.modeling.head import Head
from tasks.modeling.training import Examples, train_head

_CLASSES = ("corgi", "poodle", "pug")


def _examples(counts: tuple[int, ...], seed: int, spread: float = 1.0) -> Examples:
    """Draw features around one middle a class; two of sixteen features never vary."""
    middles = np.random.default_rng(5).normal(scale=1.5, size=(len(counts), 16))
    truth = np.repeat(np.arange(len(counts)), counts)
    features = middles[truth] + np.random.default_rng(seed).normal(scale=spread, size=(len(truth), 16))
    features[:, :2] = 7
    return Examples(features.astype(np.float32), truth.tolist())


def _train(train: Examples, validation: Examples, **settings: float) -> tuple[Head, list[Mapping[str, float]]]:
    told: list[Mapping[str, float]] = []
    head = train_head(
        _CLASSES, train, validation, Training.model_validate(settings), lambda _epoch, metrics: told.append(metrics)
    )
    return head, told


def _recall(head: Head, examples: Examples) -> list[float]:
    right = head.probabilities(examples.features).argmax(axis=1) == examples.truth
    return [float(right[np.asarray(examples.truth) == label].mean()) for label in range(len(_CLASSES))]


def test_a_head_learns_classes_that_can_be_told_apart() -> None:
    """Three clouds of features are told apart, and each epoch is told with its four figures."""
    head, told = _train(_examples((60, 60, 60), 1), _examples((20, 20, 20), 2), epochs=20, learning_rate=0.02)
    assert min(_recall(head, _examples((50, 50, 50), 3))) > 0.9
    assert set(told[0]) == {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy"}
    assert told[-1]["train_loss"] < told[0]["train_loss"]


def test_a_rare_class_is_learned_too() -> None:
    """A class with few images weighs as much as one with many."""
    head, _ = _train(
        _examples((300, 300, 12), 1, spread=2), _examples((40, 40, 10), 2, spread=2), epochs=15, learning_rate=0.04
    )
    assert _recall(head, _examples((50, 50, 50), 3, spread=2))[2] > 0.6


def test_the_head_is_the_one_of_the_best_epoch() -> None:
    """Training stops after the patience has run out, and what counts is the epoch before that."""
    train, validation = _examples((8, 8, 8), 1, spread=3), _examples((30, 30, 30), 2, spread=3)
    settings = {"learning_rate": 0.05, "l2": 0.0, "patience": 3}
    head, told = _train(train, validation, epochs=200, **settings)
    losses = [metrics["validation_loss"] for metrics in told]
    best = int(np.argmin(losses))
    assert len(told) == best + 1 + 3 < 200
    picked = head.probabilities(validation.features)[np.arange(90), validation.truth]
    assert -np.log(picked).mean() == pytest.approx(losses[best], rel=1e-3)


def test_the_best_epoch_counts_when_the_epochs_run_out() -> None:
    """Without an early stop the head is still the one with the best validation loss, not the last."""
    train, validation = _examples((8, 8, 8), 1, spread=3), _examples((30, 30, 30), 2, spread=3)
    head, told = _train(train, validation, epochs=30, patience=100, learning_rate=0.05, l2=0.0)
    best = min(metrics["validation_loss"] for metrics in told)
    assert best < told[-1]["validation_loss"]
    picked = head.probabilities(validation.features)[np.arange(90), validation.truth]
    assert -np.log(picked).mean() == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e30])
@pytest.mark.parametrize("split", ["training", "validation"])
def test_features_that_are_no_numbers_are_refused(value: float, split: str) -> None:
    """One bad number in either split gets a sentence that names the split."""
    examples = {"training": _examples((9, 9, 9), 1), "validation": _examples((9, 9, 9), 2)}
    examples[split].features[4, 4] = value
    with pytest.raises(Problem, match=f"Features of the {split} split are beyond all bounds"):
        _train(examples["training"], examples["validation"])


def test_an_empty_split_is_refused() -> None:
    """Where chance sent no image into the validation split, a sentence says so."""
    with pytest.raises(Problem, match="The validation split holds no image"):
        _train(_examples((9, 9, 9), 1), _examples((0, 0, 0), 2))


def test_a_feature_that_hardly_varies_is_not_blown_up() -> None:
    """Rounding in a feature that was constant in training does not decide about an image in which it is not."""
    train, validation = _examples((30, 30, 30), 1), _examples((20, 20, 20), 2)
    train.features[:, 0] = np.float32(0.3)
    train.features[::2, 0] = np.nextafter(np.float32(0.3), np.float32(1))
    validation.features[:, 0] = 0.31
    head, _ = _train(train, validation, epochs=20, learning_rate=0.02)
    assert min(_recall(head, validation)) > 0.8
