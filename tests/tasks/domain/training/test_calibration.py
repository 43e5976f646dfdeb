"""Probabilities that mean what they say."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.metrics import log_loss

from tasks.domain.evaluation.metrics import compute_figures
from tasks.domain.evaluation.predictions import Predictions, score_predictions
from tasks.domain.training.calibration import (
    NEVER,
    calibration_error,
    count_required_groups,
    find_threshold,
    fit_temperature,
    mean_log_loss,
)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _when_sure(
    probabilities: NDArray[np.float32], truth: Sequence[int] | NDArray[np.int64], threshold: float
) -> dict[str, float]:
    """Measure coverage and precision as evaluation does."""
    classes = tuple(map(str, range(probabilities.shape[1])))
    scored = score_predictions(
        Predictions(classes, probabilities, threshold), [classes[index] for index in truth], classes
    )
    overall = compute_figures(scored).overall
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
    return np.stack([likely, 1 - likely], axis=1), [1 - index for index in right]


@pytest.mark.parametrize("bold", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_boldness(bold: float) -> None:
    """Logits that are too large or too small by a factor are divided by that factor, but for chance."""
    logits, truth = _drawn(4000, 5, seed=1)
    assert fit_temperature(logits * bold, truth) == pytest.approx(bold, rel=0.06)


def test_calibration_makes_the_error_small() -> None:
    """After the temperature the calibration error is a fraction of what it was."""
    logits, truth = _drawn(4000, 5, seed=2)
    before = calibration_error(_softmax(logits * 4), truth)
    after = calibration_error(_softmax(logits * 4 / fit_temperature(logits * 4, truth)), truth)
    assert after < 0.03
    assert before > 0.1


def test_a_model_without_a_mistake_stays_modest() -> None:
    """A hundred right answers do not make a model certain: the next one may be wrong."""
    logits = np.eye(3)[np.arange(100) % 3] * 5
    confidence = _softmax(logits / fit_temperature(logits, np.arange(100) % 3)).max(axis=1)
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


@pytest.mark.parametrize(
    ("images", "wrong", "sure"), [(58, 0, False), (59, 0, True), (92, 1, False), (93, 1, True), (124, 2, True)]
)
def test_the_fewest_answers_that_keep_a_promise(images: int, wrong: int, sure: bool) -> None:
    """So many right answers of one probability, and not one fewer, show that 0.95 of all are right."""
    threshold = find_threshold(*_answers([0.9] * images, [0] * wrong + [1] * (images - wrong)), 0.95)
    assert threshold == (np.float32(0.9) if sure else NEVER)
    assert count_required_groups(0.95) == 59


def test_nothing_and_everything_can_be_promised() -> None:
    """Where nothing is promised all answers are sure; that none is ever wrong cannot be shown by any number of them."""
    answers = _answers([0.9, 0.6], [0, 0])
    assert find_threshold(*answers, 0.0) == 0.0
    assert find_threshold(*_answers([0.9] * 5000, [1] * 5000), 1.0) == NEVER
    assert count_required_groups(1.0) is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.floats(0.5, 0.99))
def test_the_bound_holds_at_the_threshold(seed: int, images: int, precision: float) -> None:
    """At the threshold so few answers are wrong as a broken promise would give in one run of twenty."""
    chance = np.random.default_rng(seed)
    confidence = 1 - 0.4 * chance.random(images) ** 3
    right = chance.random(images) < confidence
    threshold = find_threshold(*_answers(confidence.tolist(), right.astype(int).tolist()), precision)
    sure = confidence.astype(np.float32) >= threshold
    assert threshold == NEVER or binom.cdf((~right[sure]).sum(), sure.sum(), 1 - precision) <= 0.05


@given(st.integers(0, 2**32 - 1), st.integers(60, 200), st.integers(2, 10))
def test_copies_are_no_witnesses(seed: int, images: int, copies: int) -> None:
    """Ten pictures of one burst promise as much as one of them: the threshold is the same without the copies."""
    chance = np.random.default_rng(seed)
    confidence = 1 - 0.3 * chance.random(images) ** 4
    right = (chance.random(images) < confidence).astype(int)
    names = list(map(str, range(images)))
    alone = find_threshold(*_answers(confidence.tolist(), right.tolist()), 0.9, names)
    repeated = _answers(confidence.tolist() * copies, right.tolist() * copies)
    assert find_threshold(*repeated, 0.9, names * copies) == alone


def test_a_group_with_one_wrong_answer_is_wrong() -> None:
    """Of a burst whose pictures are answered differently, the wrong answer counts."""
    confidence, right = [0.9] * 118, [1] * 117 + [0]
    assert find_threshold(*_answers(confidence, right), 0.95) == np.float32(0.9)
    assert find_threshold(*_answers(confidence, right), 0.95, [str(number // 2) for number in range(118)]) == NEVER


def test_redrawn_runs_keep_the_promise() -> None:
    """Of 200 runs with other validation images, each with its own temperature, at most one in twenty falls short."""
    logits, truth = _drawn(3000, 3, seed=5)
    bold = 2 * logits
    chance = np.random.default_rng(6)
    held: list[float] = []
    for _ in range(200):
        run = chance.integers(0, len(truth), 500)
        probabilities = _softmax(bold / fit_temperature(bold[run], truth[run]))
        threshold = find_threshold(probabilities[run], truth[run], 0.85)
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
        held += [right[confidence >= threshold].mean()] if threshold < NEVER else []
    assert len(held) > 150
    assert sum(share < 0.85 for share in held) <= 10


def test_coverage_and_precision_by_hand() -> None:
    """Coverage is the share of images that are answered; where none is, there is no precision."""
    answers = _answers([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 1])
    assert _when_sure(*answers, float(np.float32(0.8))) == {"coverage": 0.5, "precision_when_sure": 0.5}
    assert _when_sure(*answers, NEVER) == {"coverage": 0.0}
