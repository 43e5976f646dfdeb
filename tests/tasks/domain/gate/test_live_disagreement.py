"""The rule about live photographs: what it says of few answers, of many, and in which words."""

import pytest

from configs.gate_rules import parse_rule
from configs.sections import Gate
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tasks.domain.gate.live_disagreement import ClassDisagreement, LiveDisagreement, apply_live_rule
from tests.tasks.domain.measurements import DRIFT, SERVED, measured

_RULE = "live disagreement at most 0.05"
_CLASSES = (ClassDisagreement("corgi", 80, 9, "beagle"), ClassDisagreement("pug", 60, 3, "boxer"))
_LIVE = LiveDisagreement(400, 12, 2, _CLASSES)


@pytest.mark.parametrize(
    ("rule", "live", "outcome"),
    [
        (_RULE, LiveDisagreement(), "ask"),
        (_RULE, LiveDisagreement(199), "ask"),
        (_RULE, _LIVE, "passed"),
        ("live disagreement at most 0.02", _LIVE, "failed"),
        ("live disagreement at most 0.02 else ask", _LIVE, "ask"),
    ],
)
@pytest.mark.parametrize("silence", ["pass", "fail", "ask"])
def test_it_never_passes_without_answers(rule: str, live: LiveDisagreement, outcome: str, silence: str) -> None:
    """Too few answers ask a person, whatever silence means elsewhere; enough of them are held against the limit."""
    gate = Gate.model_validate({"when_silent": silence})
    assert apply_live_rule(parse_rule(rule), live, gate).outcome == outcome


def test_it_names_the_figure_the_answers_and_the_classes() -> None:
    """Whoever reads the result sees how often the two differ, on how many answers, and about which classes most."""
    result = apply_live_rule(parse_rule("live disagreement at most 0.02"), _LIVE, Gate())
    assert result.said == (
        "live disagreement 0.030 on 400 answers, most about corgi (9 of 80, mostly beagle), pug (3 of 60, mostly boxer)"
        ": live disagreement at most 0.02"
    )
    assert (result.value, result.happened) == (0.03, "is 0.030 on 400 answers")
    assert "gate.live_answers asks for 200" in apply_live_rule(parse_rule(_RULE), LiveDisagreement(), Gate()).said


def test_the_gate_asks_only_where_there_is_a_champion() -> None:
    """The first model has nobody to differ from; a challenger waits until live photographs have been answered."""
    gate = Gate(rules=(_RULE,), needs="no-harm")
    first = GateInputs(measured([0], None, 150), None, DRIFT, SERVED)
    assert apply_gate_rules(first, gate).promoted
    second = GateInputs(measured([0], [0, 1], 150), None, DRIFT, SERVED)
    assert apply_gate_rules(second, gate).outcome == "needs-approval"
    inputs = GateInputs(measured([0], [0, 1], 150), None, DRIFT, SERVED, live=_LIVE)
    assert apply_gate_rules(inputs, gate).promoted


@pytest.mark.parametrize("rule", ["live disagreement at least 0.1", "live disagreement at most 2"])
def test_a_rule_that_makes_no_sense_is_refused(rule: str) -> None:
    """It is a share, of which less is better."""
    with pytest.raises(ValueError, match="live disagreement"):
        parse_rule(rule)
