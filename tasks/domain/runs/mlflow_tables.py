"""Tables that MLflow compares, run beside run: answers to test images, changes of the data, figures, and rules.

A table has a bounded number of rows, however many images there are, and its last row says what is left out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.visible_text import markdown, visible
from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.metrics import Measurement
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.gate.rule_result import build_rule_row
from tasks.domain.phrasing import count, format_figure
from tasks.domain.runs.mlflow_names import COMPARED_FILES, TABLES

#: The most rows of a table about photographs: MLflow's page draws them all.
MOST = 500
_ANSWERS, _CHANGES, _FIGURES, _RULES = (table.name for table in TABLES)
_ANSWERS_PAGE, _CHANGES_PAGE = (file.name for file in COMPARED_FILES)
_OTHERS = "… all others"


@dataclass(frozen=True, slots=True)
class ComparedTable:
    """A table whose first column says what a row is about, and whose second column is compared.

    Attributes:
        columns: The names of the columns.
        rows: The cells of each row; no two rows begin alike.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_json(self) -> bytes:
        """Return the table as MLflow's ``log_table`` writes it."""
        rows = [[visible(cell) for cell in row] for row in self.rows]
        return json.dumps({"columns": list(self.columns), "data": rows}, ensure_ascii=False, indent=1).encode()

    def to_markdown(self, title: str, nothing: str) -> bytes:
        """Return the first two columns as a list in Markdown: MLflow's tables overlap where a cell has several lines.

        Args:
            title: The page's title.
            nothing: What stands in place of a list without rows.

        Returns:
            The page.
        """
        body = "\n".join(f"- {markdown(row[0])}: {markdown(row[1])}" for row in self.rows) or nothing
        return f"### {markdown(title)}\n\n{body}\n".encode()


def build_answer_files(rows: Sequence[Row], challenger: Predictions, champion: Predictions | None) -> dict[str, bytes]:
    """Build the table of the test images that are answered wrongly, or otherwise than by the champion.

    Args:
        rows: The test images.
        challenger: The answers of the run's model, in the order of the rows.
        champion: Those of the champion, in the same order; None without a champion.

    Returns:
        The table as JSON and as a page, by the names of their files in the run.
    """
    former = champion.labels() if champion else [""] * len(rows)
    answers = zip(rows, challenger.labels(), challenger.probabilities.max(axis=1).tolist(), former, strict=True)
    differing = sorted(
        (answer for answer in answers if answer[1] != answer[0].label or (champion and answer[1] != answer[3])),
        key=lambda answer: (not (champion and answer[1] != answer[3]), -answer[2], answer[0].key),
    )
    lines = [_describe_answer(*answer) for answer in differing[:MOST]]
    table = ComparedTable(
        ("photograph", "answer", "label", "predicted", "probability", "champion"),
        _bounded(lines, len(differing)),
    )
    right = len(rows) - sum(predicted != row.label for row, predicted in zip(rows, challenger.labels(), strict=True))
    title = f"{right:,} of {len(rows):,} right"
    return {
        _ANSWERS: table.to_json(),
        _ANSWERS_PAGE: table.to_markdown(title, "Nothing is wrong or flipped."),
    }


def _describe_answer(row: Row, predicted: str, probability: float, former: str) -> tuple[str, ...]:
    """Return the row of an answer: what was answered, whether that is right, and what the champion answers instead."""
    # Short, since MLflow's page of compared runs has no room left for its list of files beside long lines.
    words = f"✓ {predicted} {probability:.0%}" if predicted == row.label else f"✗ {predicted} {probability:.0%}"
    words += "" if predicted == row.label else f", not {row.label}"
    if former and former != predicted:
        words += ", champion ✓" if former == row.label else f", champion {former}"
    return row.key, words, row.label, predicted, f"{probability:.3f}", former


def build_change_files(card: Mapping[str, Any]) -> dict[str, bytes]:
    """Build the table of the photographs that were added, removed and relabelled since the parent version.

    Args:
        card: The data card; all images of a first version are new, and are not listed.

    Returns:
        The table as JSON and as a page, by the names of their files in the run.
    """
    changes: dict[str, list[str]] = {}
    for kind in ("relabelled", "removed", "added"):
        for change in card.get(kind, ()):
            changes.setdefault(str(change["key"]), []).append(f"{kind}: {change['what']}")
    lines = [(key, "; ".join(words)) for key, words in list(changes.items())[:MOST]]
    table = ComparedTable(("photograph", "change"), _bounded(lines, len(changes)))
    numbers = ", ".join(f"{len(card.get(kind, ())):,} {kind}" for kind in ("added", "removed", "relabelled"))
    title = f"Data: {numbers}" if card.get("parent") else "Data: a first version"
    return {_CHANGES: table.to_json(), _CHANGES_PAGE: table.to_markdown(title, "No photograph differs.")}


def build_figure_table(test: Measurement) -> dict[str, bytes]:
    """Build the table of classes and slices with their recall and the images behind it.

    Args:
        test: The measurement on the test split.

    Returns:
        The table as JSON, by the name of its file in the run.
    """
    classes = (
        (f"class {part.label}", part.recall if part.known else None, part.low, part.high, part.images)
        for part in test.figures.classes
    )
    slices = (
        (f"slice {part.name}", part.recall if part.known else None, part.low, part.high, part.images)
        for part in test.slices
        if not part.whole
    )
    figures = sorted((*classes, *slices), key=lambda part: (part[1] is None, part[1] or 0.0, part[0]))
    rows = [_describe_recall(*part) for part in figures[:MOST]]
    more = f"{len(figures) - MOST:,} that are recognised better: evaluation/evaluation.json has them"
    table = ComparedTable(("of", "recall", "interval", "images"), _bounded(rows, len(figures), more))
    return {_FIGURES: table.to_json()}


def _describe_recall(name: str, recall: float | None, low: float, high: float, images: int) -> tuple[str, ...]:
    interval = f"{low:.3f} to {high:.3f}" if recall is not None else ""
    return name, format_figure(recall) or "too few images", interval, str(images)


def build_rule_table(rules: Iterable[Mapping[str, Any]]) -> dict[str, bytes]:
    """Build the table of the gate's rules with what came of each.

    Args:
        rules: The results of the rules, as the ledger stores them.

    Returns:
        The table as JSON, by the name of its file in the run.
    """
    rows = [build_rule_row(rule) for rule in rules]
    cells = [(row.rule, f"{row.outcome}: {row.happened}".rstrip(": "), row.chance) for row in rows]
    return {_RULES: ComparedTable(("rule", "result", "chance"), cells).to_json()}


def build_table_tag() -> dict[str, str]:
    """Return the tag by which MLflow finds the tables of a run."""
    return {"mlflow.loggedArtifacts": json.dumps([{"path": table.name, "type": "table"} for table in TABLES])}


def _bounded(lines: Sequence[Sequence[str]], total: int, more: str = "") -> list[Sequence[str]]:
    """Return the rows in the order of their names, and where some are left out a row that says so."""
    ordered = sorted(lines, key=lambda line: line[0])
    if total == len(lines):
        return ordered
    words = more or f"{count(total - len(lines), 'more photograph')}: pedigree data diff names them all"
    return [*ordered, (_OTHERS, words, *[""] * (len(lines[0]) - 2))]
