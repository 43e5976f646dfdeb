"""What the serving probe's answers must be for the packaged model to pass."""

from typing import Any

import numpy as np
import pytest

from configs.sections import Gate
from tasks.domain.evaluation.predictions import TOLERANCE, Predictions
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tasks.domain.gate.serving_check import ServingCheck, check_serving, serving_failure, serving_tolerance
from tests.tasks.domain.measurements import DRIFT, measured

EXPECTED = Predictions(("boxer", "pug"), np.array([[0.9, 0.1], [0.3, 0.7]], np.float32))
BAD = {"label": None, "probabilities": None, "problem": "not-an-image: not a picture"}
RULE = Gate(rules=("served as evaluated",))


def rows(shift: float = 0.0) -> list[dict[str, Any]]:
    """Answer as the evaluation does, or off by so much, and refuse the last file."""
    given = [dict(zip(EXPECTED.classes, map(float, row), strict=True)) for row in EXPECTED.probabilities]
    given[1]["pug"] += shift
    return [*({"label": "pug", "probabilities": probabilities, "problem": ""} for probabilities in given), BAD]


def test_the_same_bits_pass_and_so_does_another_processor() -> None:
    """What is nearer than two processors are apart is the evaluation's answer; what is further is not."""
    assert str(check_serving("1", EXPECTED, rows())) == (
        "2 test images answered as evaluated, bit for bit, and a bad file refused with a reason"
    )
    assert not check_serving("1", EXPECTED, rows(TOLERANCE / 2)).wrong
    far = check_serving("7", EXPECTED, rows(2 * TOLERANCE))
    assert far.wrong == "the packaged model, version 7: 1 of 2 test images answered unlike the evaluation"


def test_sixteen_bits_have_a_tolerance_of_their_own() -> None:
    """A model of features in 16 bits that serves in 32 may be further off, and not as far as one likes."""
    assert serving_tolerance({}) == serving_tolerance({"computing": "float32", "batch": "64"}) == TOLERANCE
    mixed = serving_tolerance({"computing": "bfloat16"})
    assert not check_serving("1", EXPECTED, rows(2 * TOLERANCE), mixed).wrong
    assert check_serving("1", EXPECTED, rows(2 * mixed), mixed).wrong


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (rows()[:2], "does not serve: 2 answers for 3 files"),
        ([*rows()[:2], {"label": "pug", "probabilities": {}, "problem": ""}], "what is no picture gets a class"),
        ([rows()[0], {**rows()[1], "probabilities": None}, BAD], "1 of 2 test images"),
        ([rows()[0], {**rows()[1], "probabilities": {"pug": 0.7, "boxer": 0.3}}, BAD], "1 of 2 test images"),
    ],
)
def test_what_is_not_served_as_evaluated_is_refused_with_a_sentence(
    answers: list[dict[str, Any]], message: str
) -> None:
    """A lacking row, a class for what is no picture, no answer, and other classes each refuse the challenger."""
    verdict = apply_gate_rules(GateInputs(measured([], None), None, DRIFT, check_serving("1", EXPECTED, answers)), RULE)
    assert verdict.outcome == "rejected"
    assert message in verdict.reason
    assert verdict.reason.endswith(": served as evaluated")


def test_a_package_that_does_not_load_is_refused_or_asks() -> None:
    """The reason holds what went wrong; with else ask a person decides."""
    facts = GateInputs(measured([], None), None, DRIFT, serving_failure("3", 8, "Problem: The model is damaged"))
    verdict = apply_gate_rules(facts, RULE)
    assert (verdict.outcome, verdict.rules[0].value) == ("rejected", None)
    assert "version 3, does not serve: Problem: The model is damaged" in verdict.reason
    assert apply_gate_rules(facts, Gate(rules=("served as evaluated else ask",))).outcome == "needs-approval"


def test_nothing_asked_is_silent_and_not_passed() -> None:
    """Where no test image is there to ask about, silence means what the settings say; the reason counts it."""
    facts = GateInputs(measured([], None), None, DRIFT, ServingCheck("", 0))
    assert apply_gate_rules(facts, Gate(rules=RULE.rules, when_silent="fail")).outcome == "rejected"
    verdict = apply_gate_rules(facts, Gate(rules=("accuracy at least 0.5", "top_3 at least 0.5", *RULE.rules)))
    assert verdict.rules[-1].silent
    assert verdict.reason.endswith("and 1 more rule passed, 1 inconclusive")
