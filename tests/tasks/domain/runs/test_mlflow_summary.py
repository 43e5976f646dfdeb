"""What runs are compared by in MLflow."""

from tasks.domain.runs.mlflow_names import METRICS, RUN_TAGS
from tasks.domain.runs.mlflow_summary import (
    COLUMNS,
    build_verdict_tags,
    collect_cost_metrics,
    collect_dataset_metrics,
)
from tasks.domain.runs.results import ImageCounts, Outcome
from tests.reference.tracking import is_tracked
from tests.tasks.domain.decisions import DECISION

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


def test_a_dataset_is_counted_from_its_card() -> None:
    """Splits are summed over classes, and changes since the parent are counted."""
    summary = collect_dataset_metrics(_CARD)
    assert (summary["dataset/images"], summary["dataset/classes"], summary["dataset/train"]) == (250, 2, 230)
    assert (summary["dataset/test"], summary["dataset/added"], summary["dataset/removed"]) == (20, 3, 1)
    assert (summary["dataset/relabelled"], summary["dataset/warnings"]) == (0, 1)


def test_a_decision_is_a_handful_of_tags() -> None:
    """However many rules there are: these stand in a table of their own."""
    summary = build_verdict_tags(DECISION)
    assert summary.keys() == {f"pedigree.{name}" for name in ("outcome", "decision", "model_version", "reason")}
    assert (summary["pedigree.outcome"], summary["pedigree.model_version"]) == ("rejected", "3")


def test_the_cost_is_told_by_step_and_in_all() -> None:
    """Seconds add up, and images that were new, turned down and embedded are counted."""
    images = ImageCounts(total=250, new=3, rejected=1, embedded=2)
    seconds = {"embed": 5.0, "rehearse": 2.5, "check": 0.5}
    outcome = Outcome("promoted", "", "d", None, images, "3", "run", {}, (), seconds, {})
    summary = collect_cost_metrics(outcome)
    assert (summary["cost/seconds"], summary["cost/embed_seconds"], summary["cost/images_embedded"]) == (8.0, 5.0, 2.0)
    assert (summary["cost/smoke_test_seconds"], "cost/check_seconds" in summary) == (2.5, False)


def test_every_column_of_the_saved_view_is_a_name_that_is_explained() -> None:
    """The columns of MLflow's table are metrics and tags of the reference, and so is all that a run logs here."""
    names = [column.split("`")[1] for column in COLUMNS if column.startswith(("metrics", "tags"))]
    assert all(is_tracked(name, [*METRICS, *RUN_TAGS]) for name in names)
    assert all(is_tracked(name, METRICS) for name in collect_dataset_metrics(_CARD))
    assert all(is_tracked(name, RUN_TAGS) for name in build_verdict_tags(DECISION))
