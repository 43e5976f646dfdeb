"""Training a head: it learns, it is as good as scikit-learn's, and it never ends in numbers that are none."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from configs.errors import PedigreeError
from configs.schema import Training
from tasks.modeling.head.cross_fitting import STRENGTHS, FitOptions
from tasks.modeling.head.head import Head
from tasks.modeling.head.training import Examples, HeldOut, build_fit_options, calibrate, train_head

_CLASSES = ("corgi", "poodle", "pug")


def _examples(counts: tuple[int, ...], seed: int, spread: float = 1.0, width: int = 16) -> Examples:
    """Draw features around one middle a class; two of them never vary."""
    middles = np.random.default_rng(5).normal(scale=1.5, size=(len(counts), width))
    truth = np.repeat(np.arange(len(counts)), counts)
    features = middles[truth] + np.random.default_rng(seed).normal(scale=spread, size=(len(truth), width))
    features[:, :2] = 7
    groups = [f"group {index}" for index in range(len(truth))]
    return Examples(features.astype(np.float32), truth.tolist(), groups, len(truth))


def _train(examples: Examples, **settings: float | str) -> tuple[Head, HeldOut, list[Mapping[str, float]]]:
    reported: list[Mapping[str, float]] = []
    recipe = build_fit_options(Training.model_validate(settings))
    head, held = train_head(_CLASSES, examples, recipe, lambda _number, figures: reported.append(figures))
    return head, held, reported


def _recall(head: Head, examples: Examples) -> list[float]:
    right = head.probabilities(examples.features).argmax(axis=1) == examples.truth
    return [float(right[np.asarray(examples.truth) == label].mean()) for label in range(len(_CLASSES))]


def test_a_head_learns_classes_that_can_be_told_apart() -> None:
    """Three clouds of features are told apart, and each weight decay is told with its figures on images held out."""
    head, held, reported = _train(_examples((60, 60, 60), 1))
    assert min(_recall(head, _examples((50, 50, 50), 3))) > 0.9
    assert [set(figures) for figures in reported] == [{"l2", "validation_loss", "validation_accuracy"}] * len(reported)
    assert [figures["l2"] for figures in reported] == list(STRENGTHS[: len(reported)])
    assert held.logits.shape == (180, 3)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_head_is_the_one_of_scikit_learn(smoothing: float) -> None:
    """At one weight decay the weights are those of scikit-learn's logistic regression, soft labels by their shares."""
    examples, count = _examples((50, 40, 30), 1, spread=3), 120
    head, _, _ = _train(examples, l2=0.05, balance="none", label_smoothing=smoothing)
    mean, scale = examples.features.mean(axis=0), examples.features.std(axis=0)
    scaled = (examples.features - mean) / np.where(scale > 1e-4, scale, 1)
    shares = np.full((count, 3), smoothing / 3)
    shares[np.arange(count), examples.truth] += 1 - smoothing
    reference = LogisticRegression(C=1 / (2 * 0.05 * count), tol=1e-8, max_iter=1000).fit(
        np.repeat(scaled, 3, axis=0), np.tile([0, 1, 2], count), sample_weight=shares.ravel()
    )
    assert head.probabilities(examples.features) == pytest.approx(reference.predict_proba(scaled), abs=0.01)


def test_the_chosen_decay_is_the_best_on_images_held_out() -> None:
    """What is said of images held out has the loss of the best weight decay that was tried."""
    examples = _examples((30, 30, 30), 1, spread=4)
    _, held, reported = _train(examples)
    losses = [figures["validation_loss"] for figures in reported]
    logits = held.logits - held.logits.max(axis=1, keepdims=True)
    picked = logits[np.arange(90), held.truth] - np.log(np.exp(logits).sum(axis=1))
    assert -picked.mean() == pytest.approx(min(losses))
    assert len(losses) == int(np.argmin(losses)) + 3


def test_views_are_learned_from_and_not_judged() -> None:
    """What comes after the whole images is no image held out, but the head learns from it."""
    examples = _examples((40, 40, 40), 1)
    plain, held, _ = _train(replace(examples, originals=90), l2=0.1)
    assert len(held.truth) == 90
    fewer = Examples(examples.features[:90], examples.truth[:90], examples.groups[:90], 90)
    assert not np.allclose(plain.weights, _train(fewer, l2=0.1)[0].weights, rtol=0.01)


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e30])
def test_features_that_are_no_numbers_are_refused(value: float) -> None:
    """One bad number gets a sentence."""
    examples = _examples((9, 9, 9), 1)
    examples.features[4, 4] = value
    with pytest.raises(PedigreeError, match="Features are beyond all bounds"):
        _train(examples)


def test_nothing_to_learn_from_is_refused() -> None:
    """Where chance sent no image to be learned from, a sentence says so."""
    with pytest.raises(PedigreeError, match="No photograph is there to learn from"):
        _train(_examples((0, 0, 0), 2))


def test_features_that_never_vary_are_refused() -> None:
    """Where all photographs have the same features no head is made, and a sentence says what to change."""
    examples = _examples((9, 9, 9), 1)
    examples.features[:] = 0.3
    examples.features[::2] = np.nextafter(np.float32(0.3), np.float32(1))
    with pytest.raises(PedigreeError, match=r"same features.*take another backbone\.cut"):
        _train(examples)


def test_a_dead_feature_changes_nothing() -> None:
    """A feature that is the same for all images gets no weight, and a head without it answers alike."""
    examples, fresh = _examples((30, 30, 30), 1, spread=3), _examples((50, 50, 50), 3, spread=3)
    dead, _, _ = _train(examples)
    alive, _, _ = _train(replace(examples, features=examples.features[:, 2:]))
    assert not dead.weights[:2].any()
    assert dead.probabilities(fresh.features) == pytest.approx(alive.probabilities(fresh.features[:, 2:]), abs=1e-3)


def test_a_feature_that_hardly_varies_is_not_blown_up() -> None:
    """Rounding in a feature that was constant in training does not decide about an image in which it is not."""
    examples, fresh = _examples((30, 30, 30), 1), _examples((20, 20, 20), 2)
    examples.features[:, 0] = np.float32(0.3)
    examples.features[::2, 0] = np.nextafter(np.float32(0.3), np.float32(1))
    fresh.features[:, 0] = 0.31
    assert min(_recall(_train(examples)[0], fresh)) > 0.8


@pytest.mark.parametrize("strength", [10.0, 1e-6])
def test_the_settings_limits_keep_training_in_bounds(strength: float) -> None:
    """With the strongest and the weakest decay and a huge feature, training ends in numbers all the same."""
    examples = _examples((9, 9, 9), 1)
    examples.features[:, 5] *= 1e8
    head, _, reported = _train(examples, l2=strength)
    assert np.isfinite([list(figures.values()) for figures in reported]).all()
    assert np.isfinite(head.probabilities(examples.features)).all()


def test_a_rare_class_gets_its_say() -> None:
    """By its weight a rare class is found more often than without."""
    examples, fresh = _examples((300, 300, 12), 1, spread=4), _examples((200, 200, 200), 3, spread=4)
    rare = {kind: _recall(_train(examples, balance=kind)[0], fresh)[2] for kind in ("none", "weights")}
    assert rare["weights"] > rare["none"] + 0.1


def test_smoothed_labels_keep_a_model_from_certainty() -> None:
    """With a share of certainty spread over all classes the head is less certain of what it learned."""
    examples = _examples((60, 60, 60), 1)
    plain, smooth = (
        _train(examples, l2=0.001, label_smoothing=share)[0].probabilities(examples.features) for share in (0.0, 0.3)
    )
    assert plain.max(axis=1).mean() > smooth.max(axis=1).mean() + 0.08


def test_a_third_image_of_each_class_is_enough() -> None:
    """Three images of each class are cross-validated and calibrated."""
    head, held, _ = _train(_examples((3, 3, 3), 1))
    calm, figures = calibrate(head, held, 0.95)
    assert len(held.truth) == 9
    assert np.isfinite([calm.temperature, *figures.values()]).all()


def test_another_seed_deals_other_folds() -> None:
    """The seed decides which groups are held out together."""
    examples = _examples((30, 30, 30), 1, spread=3)
    first, same, other = (train_head(_CLASSES, examples, FitOptions(seed=seed))[1].logits for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.allclose(first, other)


def test_calibration_is_measured_before_and_after() -> None:
    """A head that is bold on images held out is not any more when it is calibrated, and is sure where it is right."""
    head, held, _ = _train(_examples((300, 300, 300), 2, spread=3))
    calm, figures = calibrate(head, replace(held, logits=held.logits * 4), 0.8)
    assert calm.temperature == figures["temperature"] > 2
    assert figures["validation_ece"] < figures["validation_ece_uncalibrated"] / 2
