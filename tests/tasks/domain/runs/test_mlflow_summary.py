"""What runs are compared by in MLflow."""

from dataclasses import replace

from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.mlflow_summary import (
    COLUMNS,
    build_run_name,
    build_verdict_tags,
    collect_cost_metrics,
    collect_dataset_metrics,
)
from tasks.domain.runs.results import ImageCounts, Outcome

_RULE = {"rule": "accuracy at least 0.9", "outcome": "passed", "value": 0.93, "limit": 0.9, "passed": True}
_DECISION = Decision(
    number=7,
    time="2026-11-24T02:11:00+00:00",
    outcome="promoted",
    champion=7,
    against=6,
    dataset="d" * 64,
    recipe="r" * 64,
    backbone="b" * 64,
    head="h" * 64,
    run_id="run",
    model_version="3",
    reason="every rule holds",
    rules=[_RULE, {**_RULE, "rule": "images of any class at least 10", "value": None, "limit": None}],
)
_CARD = {
    "images": 250,
    "parent": "p" * 64,
    "classes": [{"splits": {"train": 80, "test": 20}}, {"splits": {"train": 150}}],
    "added": [1, 2, 3],
    "removed": [1],
    "relabelled": [],
    "findings": [],
    "warnings": ["look"],
}


def test_a_run_is_named_by_its_day_its_verdict_and_what_was_new() -> None:
    """A first version is new as a whole; of a run whose card is missing the name says only what is known."""
    assert build_run_name(_DECISION, _CARD) == "2026-11-24 promoted, 3 new"
    assert build_run_name(_DECISION, {**_CARD, "parent": None}) == "2026-11-24 promoted, 250 new"
    assert build_run_name(replace(_DECISION, outcome="rejected"), {}) == "2026-11-24 rejected"


def test_a_dataset_is_counted_from_its_card() -> None:
    """Splits are summed over classes, and changes since the parent are counted."""
    summary = collect_dataset_metrics(_CARD)
    assert (summary["dataset/images"], summary["dataset/classes"], summary["dataset/train"]) == (250, 2, 230)
    assert (summary["dataset/test"], summary["dataset/added"], summary["dataset/removed"]) == (20, 3, 1)
    assert (summary["dataset/relabelled"], summary["dataset/warnings"]) == (0, 1)


def test_each_rule_is_a_tag_with_its_figure_and_limit() -> None:
    """MLflow's comparison then shows which rule said something else in this run."""
    summary = build_verdict_tags(_DECISION)
    assert summary["pedigree.gate.accuracy at least 0.9"] == "is 0.930 · passed"
    assert summary["pedigree.gate.images of any class at least 10"] == "passed"
    assert (summary["pedigree.outcome"], summary["pedigree.model_version"]) == ("promoted", "3")


def test_the_cost_is_told_by_step_and_in_all() -> None:
    """Seconds add up, and images that were new, turned down and embedded are counted."""
    images = ImageCounts(total=250, new=3, rejected=1, embedded=2)
    outcome = Outcome("promoted", "", "d", None, images, "3", "run", {}, (), {"embed": 5.0, "train": 2.5}, {})
    summary = collect_cost_metrics(outcome)
    assert (summary["cost/seconds"], summary["cost/embed_seconds"], summary["cost/images_embedded"]) == (7.5, 5.0, 2.0)
    assert {name.split("`")[1] for name in COLUMNS if "cost/" in name or "dataset/" in name} <= {
        *summary,
        *collect_dataset_metrics(_CARD),
    }
