"""An example of a decision, to make names, texts and pages of."""

from tasks.domain.registry.decisions import Decision

DECISION = Decision(
    number=7,
    time="2026-11-24T02:11:00+00:00",
    outcome="rejected",
    champion=6,
    against=6,
    dataset="d" * 64,
    recipe="e" * 64,
    backbone="b" * 64,
    head="a" * 64,
    run_id="run",
    model_version="3",
    reason="accuracy 0.830: accuracy at least 0.9",
    rules=[{"rule": "accuracy at least 0.9", "outcome": "failed", "value": 0.83, "limit": 0.9, "passed": False}],
    figures={"accuracy": 0.83, "ece": 0.04},
)
