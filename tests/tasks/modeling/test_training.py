"""Training a head: it learns, it stops in time, and it never ends in numbers that are none."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from configs.problems import Problem
from configs.schema import Training
from tasks.modeling.head import Head
from tasks.modeling.learner import _dropped, _smoothed
from tasks.modeling.scaling import scaling_of
from tasks.modeling.training import Examples, _beginning, _orders, calibrated, train_head

_CLASSES = ("corgi", "poodle", "pug")


def _examples(counts: tuple[int, ...], seed: int, spread: float = 1.0) -> Examples:
    """Draw features around one middle a class; two of sixteen features never vary."""
    middles = np.random.default_rng(5).normal(scale=1.5, size=(len(counts), 16))
    truth = np.repeat(np.arange(len(counts)), counts)
    features = middles[truth] + np.random.default_rng(seed).normal(scale=spread, size=(len(truth), 16))
    features[:, :2] = 7
    return Examples(features.astype(np.float32), truth.tolist())


def _train(train: Examples, validation: Examples, **settings: float | str) -> tuple[Head, list[Mapping[str, float]]]:
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


def test_training_that_runs_away_is_stopped() -> None:
    """Numbers that are none end the training with a sentence that names epoch, step and the likely cause."""
    told: list[Mapping[str, float]] = []
    hasty = Training(batch=32).model_copy(update={"learning_rate": 1e38})
    with pytest.raises(Problem, match=r"epoch 1, at step \d of 6.*training\.learning_rate is too high") as caught:
        train_head(
            _CLASSES, _examples((60, 60, 60), 1), _examples((9, 9, 9), 2), hasty, lambda _, one: told.append(one)
        )
    assert "champion stays" in str(caught.value)
    assert told == []


def test_the_settings_limits_keep_training_in_bounds() -> None:
    """With the largest step, the largest decay and huge features, training ends in numbers all the same."""
    train, validation = _examples((9, 9, 9), 1), _examples((9, 9, 9), 2)
    train.features[:, 5] *= 1e8
    head, told = _train(train, validation, epochs=20, learning_rate=1.0, l2=1.0, batch=4)
    assert np.isfinite([list(one.values()) for one in told]).all()
    assert np.isfinite(head.probabilities(validation.features)).all()


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_a_rare_class_gets_its_say(balance: str) -> None:
    """By weight or by being drawn more often, a rare class is found more often than without."""
    train, validation = _examples((300, 300, 12), 1, spread=4), _examples((40, 40, 40), 2, spread=4)
    fresh = _examples((200, 200, 200), 3, spread=4)
    settings = {"epochs": 8, "patience": 8}
    rare = {
        kind: _recall(_train(train, validation, balance=kind, **settings)[0], fresh)[2] for kind in ("none", balance)
    }
    assert rare[balance] > rare["none"] + 0.1


def test_sampling_draws_each_class_equally_often() -> None:
    """In an epoch a class of one image in ten is a third of all draws, and other epochs draw otherwise."""
    truth = np.repeat([0, 1, 2], [450, 450, 100]).tolist()
    first, second = list(_orders(truth, Training(balance="sampling", epochs=2)))
    assert len(first) == 1000
    assert np.bincount(np.asarray(truth)[first]) / 1000 == pytest.approx([1 / 3] * 3, abs=0.05)
    assert not np.array_equal(first, second)


def test_smoothed_labels_keep_a_model_from_certainty() -> None:
    """The share is spread evenly over all classes, and the head is less certain of what it has learned by heart."""
    assert _smoothed(tf.constant([[0.0, 1.0, 0.0]]), 0.3).numpy() == pytest.approx(np.array([[0.1, 0.8, 0.1]]))
    train, validation = _examples((60, 60, 60), 1), _examples((20, 20, 20), 2)
    settings = {"epochs": 30, "patience": 30, "learning_rate": 0.05, "l2": 0.0}
    plain, smooth = (
        _train(train, validation, label_smoothing=share, **settings)[0].probabilities(train.features)
        for share in (0.0, 0.3)
    )
    assert plain.max(axis=1).mean() > smooth.max(axis=1).mean() + 0.08


def test_dropout_leaves_features_out() -> None:
    """The share is left out and made up for by the rest, differently in each step and with each seed."""
    features = tf.ones((100, 64))
    settings = Training(dropout=0.25)
    one, same, later, other = (
        _dropped(features, settings.model_copy(update={"seed": seed}), tf.constant(step)).numpy()
        for seed, step in ((0, 7), (0, 7), (0, 8), (1, 7))
    )
    assert (one == 0).mean() == pytest.approx(0.25, abs=0.03)
    assert one.mean() == pytest.approx(1, abs=0.05)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, later)
    assert not np.array_equal(one, other)


def test_dropout_takes_part_in_training() -> None:
    """The same seed with dropout gives another head than without."""
    train, validation = _examples((60, 60, 60), 1), _examples((20, 20, 20), 2)
    plain, dropped = (_train(train, validation, epochs=3, dropout=share)[0] for share in (0.0, 0.5))
    assert not np.allclose(plain.weights, dropped.weights, rtol=0.01)


def test_a_warm_start_begins_where_the_champion_is() -> None:
    """Known classes begin with the champion's weights wherever they stand, a new class begins with nothing."""
    train, validation = _examples((60, 60, 60), 1), _examples((20, 20, 20), 2)
    champion, _ = _train(train, validation, epochs=30, learning_rate=0.05)
    scaling = scaling_of(train.features)
    weights, bias = _beginning(("new", "pug", "corgi"), scaling, champion)
    raw, offset = scaling.folded(weights, bias)
    for column, theirs in ((1, 2), (2, 0)):
        assert raw[:, column] == pytest.approx(champion.weights[:, theirs], rel=1e-4, abs=1e-6)
        assert offset[column] == pytest.approx(champion.bias[theirs], rel=1e-4, abs=1e-4)
    assert not weights[:, 0].any()


def test_a_warm_start_is_ahead() -> None:
    """The first epoch after a warm start is better than the first epoch without."""
    train, validation = _examples((60, 60, 60), 1), _examples((20, 20, 20), 2)
    champion, _ = _train(train, validation, epochs=30, learning_rate=0.05)
    first: list[float] = []
    for start in (None, champion):
        told: list[Mapping[str, float]] = []
        train_head(_CLASSES, train, validation, Training(epochs=1), lambda _, one: told.append(one), start)  # noqa: B023
        first.append(told[0]["validation_loss"])
    assert first[1] < first[0] / 2


def test_small_progress_is_not_waited_for() -> None:
    """Training ends once a patience's epochs together have not lowered the validation loss by a thousandth."""
    _, told = _train(_examples((60, 60, 60), 1), _examples((20, 20, 20), 2), epochs=2000, learning_rate=0.02)
    losses = np.array([one["validation_loss"] for one in told])
    assert len(told) < 2000
    assert losses[:-10].min() - losses[-10:].min() < 1e-3


def test_calibration_is_measured_before_and_after() -> None:
    """A head that learned by heart is bold; calibrated it is not, and it is sure where it is right."""
    train, validation = _examples((8, 8, 8), 1, spread=3), _examples((300, 300, 300), 2, spread=3)
    head, _ = _train(train, validation, epochs=200, patience=200, learning_rate=0.05, l2=0.0)
    bold = replace(head, weights=head.weights * 4, bias=head.bias * 4)
    found, figures = calibrated(bold, validation, 0.8)
    assert found.temperature == figures["temperature"] > 2
    assert figures["validation_ece"] < figures["validation_ece_uncalibrated"] / 2
    answers = found.probabilities(validation.features)
    sure = answers.max(axis=1) >= found.threshold
    assert (answers.argmax(axis=1) == validation.truth)[sure].mean() >= 0.8
    assert 0 < sure.sum() < 900
