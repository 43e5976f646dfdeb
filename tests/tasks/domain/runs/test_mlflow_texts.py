"""What MLflow shows in words: names of runs, and descriptions that agree with the ledger."""

from dataclasses import replace

from tasks.domain.runs.mlflow_texts import (
    KEPT,
    build_run_name,
    describe_experiment,
    describe_run,
    describe_version,
    is_replaceable,
)
from tests.tasks.domain.decisions import DECISION

_PROMOTED = replace(
    DECISION,
    number=8,
    time="2026-11-26T09:00:00+00:00",
    outcome="promoted",
    person="Ada",
    why="the | labels are wrong",
)
_CARD = {"images": 250, "parent": "p" * 64, "classes": [], "added": [1, 2, 3]}


def test_a_run_is_named_by_its_day_its_outcome_and_what_was_new() -> None:
    """The day is that of the retraining, the outcome that of the last decision, whoever took it."""
    assert build_run_name([DECISION], _CARD) == "2026-11-24 rejected, 3 new"
    assert build_run_name([DECISION], {**_CARD, "parent": None}) == "2026-11-24 rejected, 250 new"
    assert build_run_name([DECISION], {}) == "2026-11-24 rejected"
    assert build_run_name([DECISION, _PROMOTED], _CARD) == "2026-11-24 promoted by Ada, 3 new"
    back = replace(_PROMOTED, number=9, outcome="rolled-back")
    assert build_run_name([DECISION, _PROMOTED, back], {}) == "2026-11-24 rolled back by Ada"


def test_a_version_tells_why_its_figures_and_where_to_read_on() -> None:
    """The last word stands first, the earlier one below it; a person's text is escaped, and no empty link is made."""
    links = {"the run": "#/experiments/1/runs/run", "the model card": ""}
    text = describe_version([DECISION, _PROMOTED], "3", "pedigree", links)
    assert text.startswith(r"Promoted by Ada on 2026-11-26: the \| labels are wrong")
    assert text.index("Before that:") < text.index("- 2026-11-24 rejected: accuracy 0.830")
    assert "\n- accuracy 0.830: share of the images that are recognised" in text
    assert "\n- **failed**: accuracy at least 0.9 (is 0.830)" in text.replace("\\", "")
    assert "|---" not in text
    assert 'load_model("models:/pedigree/3")' in text
    assert "[the run](#/experiments/1/runs/run)." in text
    assert "the model card" not in text
    assert text.endswith(KEPT)


def test_a_description_of_a_person_stays() -> None:
    """Only an empty description, or one that says that Pedigree keeps it, is replaced."""
    assert [is_replaceable(text) for text in ("", " \n", f"what it is\n\n{KEPT}", "ours since 2024")] == [
        True,
        True,
        True,
        False,
    ]


def test_decisions_replace_each_other_above_what_the_report_says() -> None:
    """However often and in whatever order the ledger is followed, the report stands below, once."""
    first = describe_run([DECISION], "See the report.")
    assert first.startswith("Rejected on 2026-11-24: ")
    assert first.endswith("---\n\nSee the report.")
    second = describe_run([DECISION, _PROMOTED], first)
    assert second.startswith("Promoted by Ada on 2026-11-26: ")
    assert second.count("See the report.") == second.count("---\n\n") == 1
    assert describe_run([DECISION, _PROMOTED], second) == second
    assert describe_run([DECISION], second) == first
    assert describe_run([], "See the report.") == "See the report."


def test_the_experiment_leads_to_its_table_wherever_mlflow_runs() -> None:
    """Its links name no server."""
    text = describe_experiment("4", "nights")
    assert "(#/experiments/4/runs?workflowType=machine_learning&viewStateShareKey=nights)" in text
    assert "://" not in text
