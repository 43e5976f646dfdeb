"""The picture of a model's lineage in the pages of its run follows the ledger."""

from pathlib import Path

from tasks.promotion.draw_lineage import draw_lineage_of
from tasks.promotion.overrides import promote
from tasks.reports.pages.lineage import PAGES
from tasks.stores.tracking import run_contents, runs
from tests.tasks.decisions import ANN, add_decision, make_workspace


def test_the_pages_of_a_run_agree_with_the_ledger(tmp_path: Path) -> None:
    """They were written before the decision; the gate's word is drawn into them, later a person's with its reason."""
    workspace = make_workspace(tmp_path)
    add_decision(workspace, "promoted")
    waiting = add_decision(workspace, "needs-approval")
    url = workspace.tracking.url
    draw_lineage_of(workspace.store, workspace.tracking, waiting)
    assert run_contents.read_named_files(url, waiting.run_id, PAGES) == {}
    runs.log_files(url, waiting.run_id, dict.fromkeys(PAGES, b"<!doctype html><!-- end of lineage -->"))
    for person, words in (("gate", "2: needs approval"), ("ann", "3: promoted")):
        if person == "ann":
            promote(workspace, "2", ANN)
        else:
            draw_lineage_of(workspace.store, workspace.tracking, waiting)
        for file, page in run_contents.read_named_files(url, waiting.run_id, PAGES).items():
            text = page.decode()
            assert text.count("<nav ") == 1, file
            assert words in text
            assert f"by {person}" in text or person == "gate"
            assert "version 1</b>" in text
            assert ("Promoted by ann on" in text and "the dogs look right" in text) == (person == "ann")
