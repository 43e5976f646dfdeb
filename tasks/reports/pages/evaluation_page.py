"""The evaluation report as a page: the verdict and its reasons first, then figures, slices, and pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tasks.domain.datasets.attribute_balance import Narrow
from tasks.domain.datasets.leakage import leakage_sentences
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.evaluation.collection_advice import Wanted, wanted
from tasks.domain.evaluation.label_changes import Moved
from tasks.domain.evaluation.label_evidence import Word
from tasks.domain.evaluation.learning_curves import UNTOLD, Curves
from tasks.domain.evaluation.misclassifications import MOST, Mistake, Mistakes, Neighbour
from tasks.domain.gate.rule_result import RuleRow, Ruling, rule_row
from tasks.domain.runs.results import Challenger
from tasks.reports.pages import evaluation_plots
from tasks.reports.pages.confusion_matrix import matrix
from tasks.reports.pages.template import render

# So many of the other things to collect are listed; collect.json has all of them.
_LISTED = 8
_SUSPECTS = "probably a wrong label"


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page tells of: the data card as it is kept in JSON, and how many images make a slice known."""

    dataset: Dataset
    challenger: Challenger
    mistakes: Mistakes
    card: Mapping[str, Any]
    minimum: int
    curves: Curves = UNTOLD

    @property
    def suspects(self) -> list[Mapping[str, Any]]:
        """List the images whose label the data card doubts."""
        return [image for one in self.card.get("findings", ()) if one["kind"] == _SUSPECTS for image in one["images"]]

    @property
    def moved(self) -> list[tuple[Moved, Word | None, Word | None]]:
        """List the photographs whose label is another than before, with what head and champion say of each."""
        found = self.challenger.evaluation.labels
        return list(zip(found.relabelling.moved, found.head, found.champion, strict=True)) if found else []

    @property
    def suspected(self) -> str:
        """Say what the data card doubts, counted by class; an earlier Pedigree's card counts nothing."""
        return next((str(one["meaning"]) for one in self.card.get("findings", ()) if one["kind"] == _SUSPECTS), "")

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """Rank what to collect next."""
        test = self.challenger.evaluation.test
        narrow = [Narrow(**one) for one in self.card.get("narrow", ())]
        return wanted(test.figures, test.slices, self.minimum, self.curves.classes, narrow)


@dataclass(frozen=True, slots=True)
class Told:
    """One rule as the page tells it."""

    ruling: Ruling
    state: Literal["passed", "broken", "ask", "silent"]

    @property
    def row(self) -> RuleRow:
        """Tell what happened, as the tables of other screens do."""
        return rule_row(asdict(self.ruling))


def pictured(report: Report) -> list[str]:
    """Name the images that the page shows, each once, sorted."""
    found = report.mistakes
    near = [one for mistake in found.worst for one in (*mistake.like_truth, *mistake.like_guess)]
    shown: list[Mistake | Neighbour] = [*found.worst, *found.fixed, *found.new, *near]
    doubted, moved = report.suspects[:MOST], report.moved[:MOST]
    return sorted({one.image for one in (*shown, *(one for one, *_ in moved))} | {one["image"] for one in doubted})


def evaluation_page(report: Report, thumbnails: Mapping[str, str | None]) -> str:
    """Write the page; thumbnails are ``data:`` addresses by image."""
    evaluation, verdict = report.challenger.evaluation, report.challenger.verdict
    sets = [("test split", evaluation.test)] + ([("golden set", evaluation.golden)] if evaluation.golden else [])
    return render(
        "evaluation.html.j2",
        dataset=report.dataset,
        leakage=leakage_sentences(report.card, report.challenger.embedded.today.fingerprint),
        trained=report.challenger.trained,
        choice=report.challenger.embedded.choice,
        evaluation=evaluation,
        verdict=verdict,
        rules=[told(one) for one in verdict.rules],
        sets=[(name, one, evaluation_plots.compared(one, report.minimum)) for name, one in sets],
        classes=evaluation_plots.classes(evaluation.test.figures.classes),
        slices=evaluation_plots.slices(evaluation.test.slices),
        matrix=matrix(evaluation.test.figures),
        pairs=evaluation_plots.pairs(evaluation.test.figures.confused),
        bins=evaluation_plots.bins(evaluation.test.figures.reliability),
        growth=evaluation_plots.growth(report.curves),
        gains=evaluation_plots.gains(report.curves),
        curves=report.curves,
        others=[one for one in report.wanted if one.gain is None][:_LISTED],
        hidden=max(0, sum(one.gain is None for one in report.wanted) - _LISTED),
        mistakes=report.mistakes,
        suspects=report.suspects,
        moved=report.moved,
        suspected=report.suspected,
        doubted={one["image"] for one in report.suspects},
        most=MOST,
        thumbnails=thumbnails,
    )


def told(ruling: Ruling) -> Told:
    """Say what became of a rule in one word."""
    if ruling.silent:
        return Told(ruling, "silent")
    return Told(ruling, "ask" if ruling.outcome == "ask" else "passed" if ruling.passed else "broken")
