"""Copies and look-alikes, where people look first."""

from dataclasses import asdict

from tasks.domain.datasets.data_card import Evidence, build_data_card
from tasks.domain.datasets.image_issues import ALIKE, FlaggedImage, Issue, summarize_duplicates
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.labels.labeling import Labelling
from tasks.domain.runs.mlflow_summary import dataset_figures
from tasks.reports.pages.data_card_page import render_data_card

NOTHING = {"copies": 0, "alike": 0, "findings": []}


def test_copies_and_look_alikes_are_one_sentence() -> None:
    """Nouns follow their number, and look-alikes under another label are told where there are any."""
    assert summarize_duplicates(NOTHING) == (
        "0 objects are copies of another, byte by byte; 0 images have a look-alike, which shares the split"
    )
    twins = asdict(
        Issue(ALIKE, "", (FlaggedImage("a", "a", "pug", "like b"), FlaggedImage("b", "b", "boxer", "like a")))
    )
    assert summarize_duplicates({"copies": 1, "alike": 2, "findings": [twins]}) == (
        "1 object is a copy of another, byte by byte; 2 images have a look-alike, which shares the split; "
        "2 images look like one under another label"
    )


def test_they_stand_above_the_classes_and_in_mlflow() -> None:
    """The page of a data card tells them before its first table, and the run counts them."""
    card = build_data_card([Row("a", "pug", Split.TEST, (), "a")], [], Evidence(Labelling((), (), ()))).to_dict()
    facts = {**card, **NOTHING, "copies": 69, "dataset": "d" * 64, "parent": None, "written": "2026-11-01T02:00:00"}
    page = render_data_card({**facts, "waiting": [], "passed_over": {}}, {})
    assert page.index("69 objects are copies") < page.index("<h2>Classes")
    assert dataset_figures(facts)["dataset/copies"] == 69
