"""Where a gate's decision stands in the ledger, and what a person's hold makes of it."""

from dataclasses import replace

import pytest

from tasks.domain.registry.decisions import Decision, DecisionOutcome
from tasks.promotion.promote import _number_decision

GATE = Decision(1, "now", "promoted", 1, None, "data", "recipe", "net", "head", "run", "1", "it is better", [])
BACK = replace(GATE, number=3, outcome="rolled-back", model_version="2", person="ann", why="black poodles are gone")


@pytest.mark.parametrize("outcome", ["promoted", "needs-approval"])
@pytest.mark.parametrize(("head", "data"), [("head", "other"), ("other", "data")])
def test_a_hold_turns_down_what_the_gate_would_let_pass(outcome: DecisionOutcome, head: str, data: str) -> None:
    """The same weights, or the same data, end rejected with who, why and how to lift it before the gate's own words."""
    decision = replace(GATE, number=0, outcome=outcome, against=1, head=head, dataset=data)
    placed = _number_decision(decision, [GATE, BACK])
    assert (placed.number, placed.outcome, placed.champion) == (4, "rejected", 1)
    assert placed.reason.startswith("version 2 was rolled back by ann")
    assert "pedigree model lift 2" in placed.reason
    assert placed.reason.endswith("; it is better")


@pytest.mark.parametrize(("outcome", "champion"), [("promoted", 4), ("needs-approval", 1), ("rejected", 1)])
def test_only_a_promotion_makes_a_champion(outcome: DecisionOutcome, champion: int) -> None:
    """What nobody holds keeps the gate's outcome; what is refused or waits leaves the champion."""
    lifted = replace(BACK, number=3, outcome="lifted")
    placed = _number_decision(replace(GATE, number=0, outcome=outcome, against=1), [GATE, lifted])
    assert (placed.number, placed.outcome, placed.champion, placed.reason) == (4, outcome, champion, "it is better")
