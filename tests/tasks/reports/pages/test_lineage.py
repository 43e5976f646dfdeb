"""The picture of where a model comes from: what its boxes say, and where they lead."""

from dataclasses import replace

import pytest

from tasks.domain.registry.decisions import DecisionOutcome
from tasks.reports.pages.lineage import PAGES, build_steps, draw_lineage
from tests.tasks.reports.reports import LINEAGE, PROMOTED

REPORT, CARD = PAGES
PLACE = b"<p><!-- end of lineage --></p>"


def test_each_box_says_what_people_call_it_and_leads_there() -> None:
    """From the source to the decision; what has no address leads to a file of the run, and a parent nowhere."""
    steps = build_steps(REPORT, LINEAGE)
    boxes = [(box.kind, box.name, box.hash, box.link.address) for step in steps for box in step]
    assert boxes == [
        ("Bucket", "photographs/dogs", "", "http://prefect/runs/flow-run/1"),
        ("Parent version", "402 images", "e" * 12, ""),
        ("Dataset version", "410 images", "d" * 12, "../dataset/card.html"),
        ("Features", "Inception up to mixed10", "b" * 12, "http://mlflow/#/experiments/1/runs/run"),
        ("Model", "dogs version 7", "a" * 12, "../record.json"),
        ("Compared with", "version 5", "a" * 12, "since-champion.html"),
        ("Decision", "9: promoted", "", "model-card.html"),
    ]
    assert steps[-1][-1].details == ("by ann", "on 2026-11-30", "became champion")
    assert build_steps(CARD, LINEAGE)[-1][-1].link.address == "report.html"


def test_a_first_model_has_neither_parent_nor_champion() -> None:
    """Nothing is drawn for them, nor for what a card and a run of an earlier Pedigree do not tell."""
    bare = replace(LINEAGE, card={}, settings={}, parent={}, former=None, addresses={})
    assert [[box.name for box in step] for step in build_steps(CARD, bare)] == [
        ["source"],
        ["photographs"],
        ["backbone"],
        ["dogs version 7"],
        ["9: promoted"],
    ]
    assert b"None" not in draw_lineage(PLACE, CARD, bare)


@pytest.mark.parametrize("outcome", ["rejected", "rolled-back", "needs-approval"])
def test_the_last_picture_counts(outcome: DecisionOutcome) -> None:
    """A later decision replaces the picture in its place; a page without a place stays as it is."""
    page = draw_lineage(PLACE, REPORT, LINEAGE)
    assert b"9: promoted" in page
    later = replace(LINEAGE, decision=replace(PROMOTED, number=12, outcome=outcome, person=""))
    redrawn = draw_lineage(page, REPORT, later)
    assert redrawn == draw_lineage(PLACE, REPORT, later)
    assert f"12: {outcome.replace('-', ' ')}".encode() in redrawn
    assert b"became champion" not in redrawn
    assert draw_lineage(b"<p></p>", REPORT, LINEAGE) == b"<p></p>"


def test_names_are_text() -> None:
    """Neither a bucket nor a person becomes a part of the page's code, nor ends the picture's place."""
    hostile = "<!-- end of lineage --><script>\\1"
    named = replace(LINEAGE, decision=replace(PROMOTED, person=hostile), settings={"source.url": f"s3://{hostile}"})
    page = draw_lineage(PLACE, REPORT, named)
    assert b"<script" not in page
    assert page.count(b"<!-- end of lineage -->") == 1
    assert draw_lineage(page, REPORT, LINEAGE) == draw_lineage(PLACE, REPORT, LINEAGE)
