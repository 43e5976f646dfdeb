"""Tables that MLflow compares: which photographs differ, and which answers flipped."""

import json

import numpy as np
from mlflow.entities import RunTag

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.runs.mlflow_tables import (
    MOST,
    build_answer_files,
    build_change_files,
    build_rule_table,
    build_table_tag,
)

_CLASSES = ("corgi", "poodle")


def _rows(number: int) -> list[Row]:
    return [Row(f"{position:064x}", "corgi", Split.TEST, (), f"corgi/{position:06}.jpg") for position in range(number)]


def _answers(*corgis: float) -> Predictions:
    """Return answers by their probabilities of a corgi."""
    return Predictions(_CLASSES, np.array([[share, 1 - share] for share in corgis], np.float32))


def _table(files: dict[str, bytes], name: str) -> tuple[list[str], list[list[str]]]:
    table = json.loads(files[name])
    return table["columns"], table["data"]


def test_answers_that_are_wrong_or_flipped_are_rows() -> None:
    """A photograph that both models recognise is none; all others say in one cell what became of them."""
    files = build_answer_files(_rows(4), _answers(0.9, 0.2, 0.7, 0.1), _answers(0.8, 0.9, 0.4, 0.3))
    columns, data = _table(files, "tables/answers.json")
    assert columns[:2] == ["photograph", "answer"], "MLflow groups by the first column, and compares the second"
    assert [row[:2] for row in data] == [
        ["corgi/000001.jpg", "✗ poodle 80%, not corgi, champion ✓"],
        ["corgi/000002.jpg", "✓ corgi 70%, champion poodle"],
        ["corgi/000003.jpg", "✗ poodle 90%, not corgi"],
    ]
    page = files["answers.md"].decode()
    assert page.startswith("### 2 of 4 right\n")
    assert page.count("\n- corgi/") == 3


def test_a_first_model_has_mistakes_and_no_flips() -> None:
    """Without a champion only wrong answers are rows; a page without rows says so."""
    files = build_answer_files(_rows(2), _answers(0.9, 0.6), None)
    assert _table(files, "tables/answers.json")[1] == []
    assert b"Nothing is wrong or flipped." in files["answers.md"]


def test_very_many_answers_are_bounded_and_say_so() -> None:
    """Flips come before mistakes that the champion makes as well, and the last row counts what is left out."""
    number = 3 * MOST
    wrong, right = np.full(number, 0.1), np.full(number, 0.1)
    right[-1] = 0.9
    files = build_answer_files(_rows(number), _answers(*wrong), _answers(*right))
    data = _table(files, "tables/answers.json")[1]
    assert len(data) == MOST + 1
    assert data[-2][0] == f"corgi/{number - 1:06}.jpg"
    assert data[-1][1] == f"{number - MOST:,} more photographs: pedigree data diff names them all"
    assert len(files["tables/answers.json"]) < 200_000


def test_changes_of_the_data_are_rows_by_photograph() -> None:
    """A photograph whose bytes were replaced is removed and added: it has one row, which says both."""
    change = {"image": "a", "key": "corgi/1.jpg"}
    card = {
        "parent": "p",
        "added": [{**change, "what": "new in corgi"}],
        "removed": [{**change, "what": "gone"}],
        "relabelled": [{"image": "b", "key": "corgi/0.jpg", "what": "corgi to poodle"}],
    }
    files = build_change_files(card)
    assert _table(files, "tables/changes.json") == (
        ["photograph", "change"],
        [["corgi/0.jpg", "relabelled: corgi to poodle"], ["corgi/1.jpg", "removed: gone; added: new in corgi"]],
    )
    assert files["changes.md"].startswith(b"### Data: 1 added, 1 removed, 1 relabelled\n")
    assert b"a first version" in build_change_files({"parent": None})["changes.md"]


def test_rules_are_compared_by_their_text() -> None:
    """The outcome stands before the figure, in the column that is compared."""
    rule = {"rule": "accuracy at least 0.9", "outcome": "passed", "value": 0.93, "limit": 0.9, "passed": True}
    assert _table(build_rule_table([rule]), "tables/rules.json")[1] == [
        ["accuracy at least 0.9", "passed: is 0.930", ""]
    ]


def test_mlflow_finds_the_tables_by_a_tag() -> None:
    """The tag is what MLflow's own log_table writes, and the answers are the table that its page shows first."""
    ((name, text),) = build_table_tag().items()
    tables = json.loads(RunTag(name, text).value)
    assert tables[0] == {"path": "tables/answers.json", "type": "table"}
    assert len(tables) == 4
