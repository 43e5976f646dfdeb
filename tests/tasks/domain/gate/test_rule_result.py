"""Rows of rule tables: what happened to a rule's figure, whether chance may explain it, and what came of the rule."""

from collections.abc import Mapping
from typing import Any

import pytest

from configs.sections import Gate
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tasks.domain.gate.rule_result import build_rule_row
from tests.tasks.domain.measurements import DRIFT, SERVED, measured

FALL = {"rule": "recall of any class not worse by 0.05", "outcome": "passed", "value": 0.273, "limit": 0.05, "p": 0.12}


def line_of(rule: Mapping[str, Any]) -> str:
    """Join the cells of a row that say something, but for the rule itself."""
    return " · ".join(cell for cell in build_rule_row(rule)[1:] if cell)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, "fell by 0.273 · chance may explain it (p 0.12) · passed"),
        (
            {"unlikely": True, "p": 0.003, "outcome": "failed"},
            "fell by 0.273 · chance does not explain it (p 0.003) · failed",
        ),
        ({"value": -0.02, "p": None}, "rose by 0.020 · passed"),
        ({"value": 0.0, "p": None}, "is the same · passed"),
        ({"rule": "log_loss not worse by 0.1", "p": None}, "rose by 0.273 · passed"),
        ({"rule": "accuracy at least 0.5", "p": None}, "is 0.273 · passed"),
        (
            {"rule": "better at accuracy, or new classes", "outcome": "failed"},
            "ahead by 0.273 · chance may explain it (p 0.12) · failed",
        ),
        ({"rule": "images of any class at least 30", "value": 1031.0, "p": None}, "is 1,031 · passed"),
        (
            {"rule": "relabelled of any class at most 0.1", "p": None, "outcome": "ask"},
            "0.273 of a class · ask",
        ),
        ({"rule": "served as evaluated", "value": 0.0, "p": None}, "is the same · passed"),
        ({"value": None, "p": None, "silent": True}, "nothing to speak of · passed"),
    ],
)
def test_a_row_says_what_happened(change: dict[str, object], line: str) -> None:
    """Every screen tells the direction, the size and the part that chance may have, not a bare number and a limit."""
    assert line_of({**FALL, **change}) == line


def test_rules_of_an_earlier_ledger_are_told() -> None:
    """A rule that was kept with less than today still has a row."""
    old = {"rule": "minimum accuracy", "value": 0.9, "limit": 0.5, "passed": True}
    assert build_rule_row(old) == ("minimum accuracy", "is 0.900", "", "passed")


def test_the_gate_keeps_what_rows_tell() -> None:
    """A fall that chance may explain carries its p value, and one that chance does not explain says so."""
    few, many = (
        {line.rule: line_of(row) for line, row in zip(verdict.rules, verdict.rules_to_dicts(), strict=True)}
        for wrong, images in (([0, 5], 40), (list(range(0, 200, 2)), 400))
        for verdict in (apply_gate_rules(GateInputs(measured(wrong, [], images), None, DRIFT, SERVED), Gate()),)
    )
    assert few["accuracy not worse by 0.01"] == "fell by 0.050 · chance may explain it (p 0.25) · passed"
    assert many["accuracy not worse by 0.01"] == "fell by 0.250 · chance does not explain it (p below 0.0001) · failed"
