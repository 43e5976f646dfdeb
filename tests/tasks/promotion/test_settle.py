"""A challenger that waits for live photographs alone, and what the gate decides once enough of them are answered."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from configs.schema import Settings, Store
from configs.sections import Gate, Source
from tasks.domain.registry.decisions import Decision, find_champion
from tasks.promotion.aliases import Workspace
from tasks.promotion.settle import NOTHING_SETTLED, settle
from tasks.serving.live_agreement import keep_comparison
from tests.tasks.decisions import add_decision, make_workspace
from tests.tasks.promotion.test_gate import OUTCOME
from tests.tasks.promotion.test_live_evidence import compare

_RULE = "live disagreement at most 0.3"
_PASSED = {"rule": "accuracy at least 0.5", "outcome": "passed", "said": "accuracy 0.9"}
_PAIRS = [("pug", "pug"), ("pug", "corgi"), ("boxer", "boxer"), ("pug", "pug")]


def _settings(workspace: Workspace, rule: str = _RULE, answers: int = 4) -> Settings:
    gate = Gate(rules=(rule,), live_answers=answers)
    store = Store(url=workspace.store.url)
    return Settings(source=Source(url="photos"), store=store, tracking=workspace.tracking, gate=gate)


def _waiting(workspace: Workspace, *asking: str) -> Decision:
    """Let a challenger wait for these rules, with live answers beside the champion."""
    add_decision(workspace, "promoted")
    champion = workspace.store.ledger.entries()[-1]
    registered = add_decision(workspace, "needs-approval")
    rules: list[Mapping[str, Any]] = [_PASSED, *({"rule": rule, "outcome": "ask", "said": rule} for rule in asking)]
    waiting = replace(registered, number=3, rules=rules)
    assert workspace.store.ledger.append(waiting)
    keep_comparison(workspace.tracking.url, waiting.run_id, compare(champion, waiting, _PAIRS))
    return waiting


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Make an empty store with an MLflow beside it."""
    return make_workspace(tmp_path)


def test_it_is_promoted_once_enough_answers_agree(workspace: Workspace) -> None:
    """The gate's decision holds the figure; the run that took it ends with it, and forgets nothing it would say."""
    waiting = _waiting(workspace, _RULE)
    settled = settle(_settings(workspace))
    entries = workspace.store.ledger.entries()
    assert settled.decision == entries[-1]
    assert (entries[-1].outcome, entries[-1].decided_by_gate, entries[-1].against) == ("promoted", True, 1)
    serving = find_champion(entries)
    assert serving
    assert serving.model == waiting.model
    assert [(rule["rule"], rule["outcome"]) for rule in entries[-1].rules] == [
        (_PASSED["rule"], "passed"),
        (_RULE, "passed"),
    ]
    outcome = settled.add_to(replace(OUTCOME, status="unchanged", reason="nothing new", run_id=None))
    assert (outcome.status, outcome.model_version) == ("promoted", waiting.model_version)
    assert outcome.reason.endswith("; nothing new")
    assert settled.add_to(OUTCOME).status == "needs-approval", "a run that trained a model ends with that one's verdict"
    assert settle(_settings(workspace)) == NOTHING_SETTLED


def test_it_is_rejected_where_they_differ_too_often(workspace: Workspace) -> None:
    """The champion stays, and the reason names the classes."""
    rule = "live disagreement at most 0.1"
    _waiting(workspace, rule)
    decision = settle(_settings(workspace, rule)).decision
    assert decision
    assert (decision.outcome, decision.champion) == ("rejected", 1)
    assert "most about pug (1 of 3, mostly corgi)" in decision.reason


def test_nothing_is_decided_that_is_still_open(workspace: Workspace) -> None:
    """Too few answers, a rule that asks, another one that asks too, or other rules than then leave it to a person."""
    _waiting(workspace, _RULE)
    number = len(workspace.store.ledger.entries())
    asks = "live disagreement at most 0.1 else ask"
    for settings in (
        _settings(workspace, answers=5),
        _settings(workspace, asks),
        _settings(workspace, "accuracy at least 0.5"),
    ):
        assert settle(settings) == NOTHING_SETTLED
    last = workspace.store.ledger.entries()[-1]
    other = {"rule": "relabelled of any class at most 0.1", "outcome": "ask", "said": ""}
    assert workspace.store.ledger.append(replace(last, number=number + 1, rules=[*last.rules, other]))
    assert settle(_settings(workspace)) == NOTHING_SETTLED


def test_another_champion_is_another_question(workspace: Workspace) -> None:
    """What was judged against a champion that serves no more is not promoted over the one that does."""
    waiting = _waiting(workspace, _RULE)
    newer = replace(waiting, number=4, outcome="promoted", champion=4, against=1, head="another", person="ann")
    assert workspace.store.ledger.append(newer)
    assert settle(_settings(workspace)) == NOTHING_SETTLED
