"""Probabilities that mean what they say."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from tasks.domain.answers import Predictions, answered
from tasks.domain.calibration import (
    NEVER,
    calibration_error,
    mean_log_loss,
    sure_from,
    temperature,
)
from tasks.domain.metrics import figures


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _when_sure(
    probabilities: NDArray[np.float32], truth: Sequence[int] | NDArray[np.int64], threshold: float
) -> dict[str, float]:
    """Measure coverage and precision as evaluation does."""
    classes = tuple(map(str, range(probabilities.shape[1])))
    found = answered(Predictions(classes, probabilities, threshold), [classes[index] for index in truth], classes)
    overall = figures(found).overall
    return {name: overall[name] for name in ("coverage", "precision_when_sure") if name in overall}


def _drawn(images: int, classes: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw logits, and true classes with exactly the probabilities that the logits say."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(scale=2, size=(images, classes))
    # The largest of logits with Gumbel noise is a class drawn by its probability.
    return logits, (logits + chance.gumbel(size=logits.shape)).argmax(axis=1)


def _answers(confidence: list[float], right: list[int]) -> tuple[NDArray[np.float32], list[int]]:
    """Make answers for two classes with these probabilities; the first class is the likelier, and true where right."""
    likely = np.array(confidence, np.float32)
    return np.stack([likely, 1 - likely], axis=1), [1 - one for one in right]


@pytest.mark.parametrize("bold", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_boldness(bold: float) -> None:
    """Logits that are too large or too small by a factor are divided by that factor, but for chance."""
    logits, truth = _drawn(4000, 5, seed=1)
    assert temperature(logits * bold, truth) == pytest.approx(bold, rel=0.06)


def test_calibration_makes_the_error_small() -> None:
    """After the temperature the calibration error is a fraction of what it was."""
    logits, truth = _drawn(4000, 5, seed=2)
    before = calibration_error(_softmax(logits * 4), truth)
    after = calibration_error(_softmax(logits * 4 / temperature(logits * 4, truth)), truth)
    assert after < 0.03
    assert before > 0.1


def test_a_model_without_a_mistake_stays_modest() -> None:
    """A hundred right answers do not make a model certain: the next one may be wrong."""
    logits = np.eye(3)[np.arange(100) % 3] * 5
    confidence = _softmax(logits / temperature(logits, np.arange(100) % 3)).max(axis=1)
    assert (confidence < 0.999).all()
    assert (confidence > 0.98).all()


def test_the_log_loss_is_scikit_learn_s() -> None:
    """The mean log loss of logits is that of their probabilities."""
    logits, truth = _drawn(50, 4, seed=3)
    exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert mean_log_loss(logits + 1000, truth) == pytest.approx(log_loss(truth, exact, labels=range(4)))


def test_the_calibration_error_by_hand() -> None:
    """Four answers in two bins: 0.9 with one of two right, and 0.6 with both right."""
    assert calibration_error(*_answers([0.9, 0.9, 0.6, 0.6], [1, 0, 1, 1])) == pytest.approx((0.4 + 0.4) / 2)
    assert calibration_error(*_answers([1.0, 1.0], [1, 1])) == 0


def test_the_threshold_by_hand() -> None:
    """The smallest probability at and above which the share holds is found beyond a mistake, and ties go together."""
    answers = _answers([0.95, 0.9, 0.8, 0.7, 0.7, 0.6], [1, 0, 1, 1, 1, 0])
    assert sure_from(*answers, 1.0) == np.float32(0.95)
    assert sure_from(*answers, 0.8) == np.float32(0.7)
    assert sure_from(*answers, 0.5) == np.float32(0.6)
    assert sure_from(*_answers([0.9, 0.7, 0.7], [0, 1, 0]), 0.5) == NEVER


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0, 1))
def test_what_the_threshold_promises_holds(seed: int, images: int, precision: float) -> None:
    """At the threshold the precision is kept, and at no smaller probability that occurs would it be."""
    chance = np.random.default_rng(seed)
    confidence = chance.integers(51, 100, images) / 100
    answers = _answers(confidence.tolist(), (chance.random(images) < confidence).astype(int).tolist())
    threshold = sure_from(*answers, precision)
    for candidate in {*answers[0].max(axis=1), threshold}:
        kept = _when_sure(*answers, float(candidate)).get("precision_when_sure", -1.0) >= precision
        assert kept == (candidate == threshold != NEVER) or candidate > threshold


def test_coverage_and_precision_by_hand() -> None:
    """Coverage is the share of images that are answered; where none is, there is no precision."""
    answers = _answers([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 1])
    assert _when_sure(*answers, float(np.float32(0.8))) == {"coverage": 0.5, "precision_when_sure": 0.5}
    assert _when_sure(*answers, NEVER) == {"coverage": 0.0}
