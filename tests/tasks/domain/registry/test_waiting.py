"""Which challenger waits, and for what."""

from dataclasses import replace

import pytest

from tasks.domain.registry.decisions import Decision, DecisionOutcome
from tasks.domain.registry.waiting import find_waiting_challenger

_LACKS = {"rule": "better at accuracy, more data, or new classes", "outcome": "failed"}
_HARM = {"rule": "recall of any class not worse by 0.05", "outcome": "failed"}
_ASKS = {"rule": "relabelled of any class at most 0.1", "outcome": "ask"}
_FIRST = Decision(1, "", "promoted", 1, None, "data", "recipe", "backbone", "one", "run", "1", "", ())


def _ledger(outcome: DecisionOutcome, *rules: dict[str, str]) -> list[Decision]:
    return [_FIRST, replace(_FIRST, number=2, outcome=outcome, dataset="more", head="two", against=1, rules=rules)]


@pytest.mark.parametrize(
    ("entries", "waits_for"),
    [
        (_ledger("needs-approval", _ASKS), "a person"),
        (_ledger("rejected", _LACKS), "more data"),
        (_ledger("rejected", _LACKS, _ASKS), "more data"),
        (_ledger("rejected", _LACKS, _HARM), None),
        (_ledger("rejected", _HARM), None),
        (_ledger("rejected"), None),
        (_ledger("promoted"), None),
        ([_FIRST], None),
        ([], None),
    ],
)
def test_only_what_no_rule_found_harmful_waits(entries: list[Decision], waits_for: str | None) -> None:
    """A person or more data may still make it champion; what a rule found harmful waits for nothing."""
    waiting = find_waiting_challenger(entries)
    assert (waiting.waits_for if waiting else None) == waits_for


def test_what_is_held_waits_for_nobody() -> None:
    """A person has turned it down."""
    entries = _ledger("rejected", _LACKS)
    assert find_waiting_challenger([*entries, replace(entries[-1], number=3, outcome="held", person="x")]) is None
