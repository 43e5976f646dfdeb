"""What live photographs said about a challenger, before the eyes of whoever decides."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.cli.tables import render_model_details
from tasks.catalog.models import show
from tasks.domain.registry.decisions import Decision
from tasks.domain.serving.shadow import Agreement, ShadowAnswer
from tasks.promotion.aliases import Workspace
from tasks.promotion.live_evidence import add_live_evidence
from tasks.promotion.overrides import promote
from tasks.serving.live_agreement import keep_comparison
from tests.tasks.decisions import ANN, add_decision, make_workspace

_SAID = "live disagreement 0.250 on 4 answers, most about pug (1 of 3, mostly corgi)"


def compare(champion: Decision, challenger: Decision, pairs: list[tuple[str, str]]) -> Mapping[str, Any]:
    """Return a comparison as a service writes it."""
    agreement = Agreement()
    for number, labels in enumerate(pairs):
        agreement.add(str(number), *(ShadowAnswer(label, 0.9, sure=True) for label in labels))
    names = (
        {"version": decision.model_version, "backbone": decision.backbone, "head": decision.head}
        for decision in (champion, challenger)
    )
    return {"name": "service", "share": 1.0, **agreement.to_dict(*names)}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Make a champion, and a version that waits and was compared with it on live photographs."""
    created = make_workspace(tmp_path)
    champion, challenger = add_decision(created, "promoted"), add_decision(created, "needs-approval")
    pairs = [("pug", "pug"), ("pug", "pug"), ("pug", "corgi"), ("boxer", "boxer")]
    keep_comparison(created.tracking.url, challenger.run_id, compare(champion, challenger, pairs))
    return created


def test_whoever_looks_at_a_version_sees_it(workspace: Workspace) -> None:
    """The screen names figure, answers and classes; of the champion, and without MLflow, nothing is said."""
    details = show(workspace.store, "2", workspace.tracking)
    assert f"live photographs: {_SAID}" in str(render_model_details(details))
    plain = details.to_dict()["live"]
    assert (plain["answers"], plain["disagreement"]) == (4, 0.25)
    assert plain["classes"] == [{"label": "pug", "answers": 3, "differing": 1, "instead": "corgi"}]
    assert show(workspace.store, "1", workspace.tracking).live is None
    assert show(workspace.store, "2").live is None


def test_the_ledger_keeps_what_was_known_when_a_person_decided(workspace: Workspace) -> None:
    """The promotion's reason and figures say it, and so does the answer that the person gets."""
    override = promote(workspace, "2", ANN)
    last = workspace.store.ledger.entries()[-1]
    assert last.reason == f"in place of version 1; {_SAID}"
    assert (last.figures["live_answers"], last.figures["live_disagreement"]) == (4.0, 0.25)
    assert _SAID in str(override)


def test_a_person_who_overrules_the_rule_is_told_so(workspace: Workspace) -> None:
    """A limit that the figure exceeds is named beside it; the person decides all the same."""
    decision = workspace.store.ledger.entries()[-1]
    live = show(workspace.store, "2", workspace.tracking).live
    for limit, told in ((0.1, ", where the gate asks for live disagreement at most 0.1"), (0.5, "")):
        rules = [{"rule": f"live disagreement at most {limit}", "outcome": "ask"}]
        promotion = add_live_evidence(replace(decision, rules=rules), live)
        assert promotion.reason == f"why; {_SAID}{told}"


def test_a_person_may_decide_without_it(workspace: Workspace) -> None:
    """A version that nobody asked, as where no service runs, is promoted with the same words as ever."""
    add_decision(workspace, "needs-approval")
    promote(workspace, "3", ANN)
    assert workspace.store.ledger.entries()[-1].reason == "in place of version 1"
