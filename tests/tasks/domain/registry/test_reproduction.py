"""The verdict on a model that was made again: identical, equal within the tolerance, or different, with its cause."""

import numpy as np
import pytest

from tasks.domain.evaluation.predictions import TOLERANCE
from tasks.domain.registry.reproduction import (
    Agreement,
    Difference,
    RefittedHead,
    decide_verdict,
    find_differences,
    measure_agreement,
)

_CPU = Difference("cpu", "EPYC", "Xeon")


def _refitted(head: str, widest: float, same: int = 50, unequal: int = 0) -> RefittedHead:
    return RefittedHead(head, Agreement(50, same, widest), embedded=200, unequal=unequal)


def test_the_same_weights_are_identical() -> None:
    """Equal hashes of all weights are enough, whatever differs about the machine."""
    verdict, reason = decide_verdict("a", _refitted("a", 0.0), (_CPU,))
    assert verdict == "identical"
    assert "bit for bit" in reason
    assert "50 of 50 test images" in reason


@pytest.mark.parametrize(
    ("widest", "same", "expected"),
    [(TOLERANCE, 50, "equal"), (TOLERANCE * 1.01, 50, "different"), (TOLERANCE / 2, 49, "different")],
)
def test_other_weights_are_equal_only_within_the_tolerance_and_with_the_same_predictions(
    widest: float, same: int, expected: str
) -> None:
    """One prediction that flipped, or a probability beyond the tolerance, makes another model."""
    verdict, reason = decide_verdict("a", _refitted("b", widest, same), (_CPU,))
    assert verdict == expected
    assert f"{same} of 50 test images" in reason
    assert "another processor (EPYC, now Xeon)" in reason


def test_the_likeliest_cause_comes_first() -> None:
    """Of a new commit, a new library and another processor the commit is named first; what is equal is not named."""
    before = {"cpu": "EPYC", "tensorflow": "2.20", "git_commit": "a", "cores": "2"}
    after = {"cpu": "Xeon", "tensorflow": "2.21", "git_commit": "b", "cores": "2"}
    assert [difference.what for difference in find_differences(before, after)] == ["git_commit", "tensorflow", "cpu"]


def test_a_model_that_differs_for_no_known_reason_says_so() -> None:
    """Nothing is made up where code and machine are the same."""
    assert "nothing about code and machine is known to differ" in decide_verdict("a", _refitted("b", 0.5, 20), ())[1]


def test_features_with_other_bits_are_told_before_the_machine() -> None:
    """Where features came out different from pixels, that is said, with how many."""
    reason = decide_verdict("a", _refitted("b", 0.5, 20, unequal=7), (_CPU,))[1]
    assert reason.index("7 of 200 features have other bits") < reason.index("another processor")


def test_agreement_counts_predictions_and_measures_the_widest_gap() -> None:
    """Two of three images keep their class, and the widest gap between two probabilities is found."""
    stored = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], np.float32)
    refitted = np.array([[0.8, 0.2], [0.55, 0.45], [0.2, 0.8]], np.float32)
    agreement = measure_agreement(stored, refitted)
    assert (agreement.images, agreement.same) == (3, 2)
    assert agreement.widest == pytest.approx(0.15)
