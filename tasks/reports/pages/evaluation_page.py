"""The evaluation report as a page: the verdict and its reasons first, then figures, slices, and pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tasks.domain.datasets.attribute_balance import NarrowRange
from tasks.domain.datasets.leakage import leakage_sentences
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.evaluation.label_changes import RelabelledImage
from tasks.domain.evaluation.label_evidence import LabelPrediction
from tasks.domain.evaluation.learning_curves import NO_CURVES, LearningCurves
from tasks.domain.evaluation.misclassifications import MOST, Misclassification, Misclassifications, Neighbour
from tasks.domain.evaluation.results import CollectionAdvice, advise_collection
from tasks.domain.gate.rule_result import RuleResult, RuleRow, build_rule_row
from tasks.domain.runs.results import Challenger
from tasks.reports.pages import evaluation_plots
from tasks.reports.pages.confusion_matrix import build_confusion_matrix
from tasks.reports.pages.evaluation_plots import (
    Plot,
    draw_class_recalls,
    draw_differences,
    draw_learning_curve,
    draw_slice_recalls,
    scale_bins,
)
from tasks.reports.pages.template import render

# So many of the other things to collect are listed; collect.json has all of them.
_LISTED = 8
_SUSPECTS = "probably a wrong label"


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All that the page tells of: the data card as it is kept in JSON, and how many images make a slice known."""

    dataset: Dataset
    challenger: Challenger
    mistakes: Misclassifications
    card: Mapping[str, Any]
    minimum: int
    curves: LearningCurves = NO_CURVES

    @property
    def suspects(self) -> list[Mapping[str, Any]]:
        """List the images whose label the data card doubts."""
        return [
            image
            for finding in self.card.get("findings", ())
            if finding["kind"] == _SUSPECTS
            for image in finding["images"]
        ]

    @property
    def moved(self) -> list[tuple[RelabelledImage, LabelPrediction | None, LabelPrediction | None]]:
        """List the photographs whose label is another than before, with what head and champion say of each."""
        evidence = self.challenger.evaluation.labels
        return list(zip(evidence.relabelling.moved, evidence.head, evidence.champion, strict=True)) if evidence else []

    @property
    def suspected(self) -> str:
        """Say what the data card doubts, counted by class; an earlier Pedigree's card counts nothing."""
        return next(
            (str(finding["meaning"]) for finding in self.card.get("findings", ()) if finding["kind"] == _SUSPECTS), ""
        )

    @property
    def wanted(self) -> tuple[CollectionAdvice, ...]:
        """Rank what to collect next."""
        test = self.challenger.evaluation.test
        narrow = [NarrowRange(**entry) for entry in self.card.get("narrow", ())]
        return advise_collection(test.figures, test.slices, self.minimum, self.curves.classes, narrow)


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule as the page tells it."""

    ruling: RuleResult
    state: Literal["passed", "broken", "ask", "silent"]

    @property
    def row(self) -> RuleRow:
        """Tell what happened, as the tables of other screens do."""
        return build_rule_row(asdict(self.ruling))


def list_pictured_images(report: EvaluationReport) -> list[str]:
    """Name the images that the page shows, each once, sorted."""
    mistakes = report.mistakes
    neighbours = [entry for mistake in mistakes.worst for entry in (*mistake.like_truth, *mistake.like_guess)]
    shown: list[Misclassification | Neighbour] = [*mistakes.worst, *mistakes.fixed, *mistakes.new, *neighbours]
    doubted, moved = report.suspects[:MOST], report.moved[:MOST]
    return sorted(
        {entry.image for entry in (*shown, *(entry for entry, *_ in moved))} | {entry["image"] for entry in doubted}
    )


def render_evaluation_report(report: EvaluationReport, thumbnails: Mapping[str, str | None]) -> str:
    """Write the page; thumbnails are ``data:`` addresses by image."""
    evaluation, verdict = report.challenger.evaluation, report.challenger.verdict
    sets = [("test split", evaluation.test)] + ([("golden set", evaluation.golden)] if evaluation.golden else [])
    return render(
        "evaluation.html.j2",
        dataset=report.dataset,
        leakage=leakage_sentences(report.card, report.challenger.features.current.fingerprint),
        trained=report.challenger.model,
        choice=report.challenger.features.choice,
        evaluation=evaluation,
        verdict=verdict,
        rules=[classify_rule(entry) for entry in verdict.rules],
        sets=[(name, entry, evaluation_plots.draw_differences(entry, report.minimum)) for name, entry in sets],
        classes=evaluation_plots.draw_class_recalls(evaluation.test.figures.classes),
        slices=evaluation_plots.draw_slice_recalls(evaluation.test.slices),
        matrix=build_confusion_matrix(evaluation.test.figures),
        pairs=evaluation_plots.rank_confused_pairs(evaluation.test.figures.confused),
        bins=evaluation_plots.scale_bins(evaluation.test.figures.reliability),
        growth=evaluation_plots.draw_learning_curve(report.curves),
        gains=evaluation_plots.draw_gains(report.curves),
        curves=report.curves,
        others=[entry for entry in report.wanted if entry.gain is None][:_LISTED],
        hidden=max(0, sum(entry.gain is None for entry in report.wanted) - _LISTED),
        mistakes=report.mistakes,
        suspects=report.suspects,
        moved=report.moved,
        suspected=report.suspected,
        doubted={entry["image"] for entry in report.suspects},
        most=MOST,
        thumbnails=thumbnails,
    )


def classify_rule(ruling: RuleResult) -> RuleView:
    """Say what became of a rule in one word."""
    if ruling.silent:
        return RuleView(ruling, "silent")
    return RuleView(ruling, "ask" if ruling.outcome == "ask" else "passed" if ruling.passed else "broken")


# Where the first row is, and how high each one is.
_TOP, _ROW = 72, 26
_SQUARE, _EMPTY = 670, 110


def draw_figures(report: EvaluationReport) -> dict[str, bytes]:
    """Draw what is compared, classes, slices, confusion, calibration and the learning curve, each as SVG."""
    evaluation, about, learning_curve = report.challenger.evaluation, _about(report), draw_learning_curve(report.curves)
    figures, confused = evaluation.test.figures, build_confusion_matrix(evaluation.test.figures)
    drawings = {
        "comparison": _rows("Beside the champion, in points", draw_differences(evaluation.test, report.minimum), about),
        "classes": _rows("Recall by class, the worst first", draw_class_recalls(figures.classes), about),
        "slices": _rows("Recall by slice, the worst first", draw_slice_recalls(evaluation.test.slices), about),
        "confusion": _figure("What is taken for what", about, height=confused.bottom, matrix=confused),
        "calibration": _figure(
            "Do probabilities mean what they say?", about, height=_SQUARE, bins=scale_bins(figures.reliability)
        ),
        "learning-curve": _figure(
            "Learning curve",
            about,
            height=_SQUARE if learning_curve else _EMPTY,
            growth=learning_curve,
            nothing="Too few images to tell what more of them would bring.",
        ),
    }
    return {f"figures/{name}.svg": text.encode() for name, text in drawings.items()}


def _about(report: EvaluationReport) -> str:
    challenger = report.challenger
    return (
        f"{challenger.verdict.title}. Head {challenger.model.head[:12]} on dataset {report.dataset.hash[:12]}, "
        f"{challenger.evaluation.images:,} test images"
    )


def _rows(title: str, plots: Sequence[Plot], about: str) -> str:
    placed = [(kind, _TOP + _ROW * number, content) for number, (kind, content) in enumerate(_plot_rows(plots))]
    return _figure(title, about, height=_TOP + _ROW * (len(placed) + 1), rows=placed)


def _plot_rows(plots: Sequence[Plot]) -> Iterator[tuple[str, object]]:
    for plot in plots:
        if plot.title:
            yield "head", plot.title
        yield from (("line", (line, plot.ticks)) for line in plot.lines)
        yield "axis", plot.ticks


def _figure(title: str, about: str, *, height: int, **facts: object) -> str:
    empty: dict[str, object] = dict.fromkeys(("rows", "matrix", "bins", "growth"), ())
    return render(
        "figure.svg.j2", title=title, about=about, height=height, **{"nothing": "Nothing to show."} | empty | facts
    )
