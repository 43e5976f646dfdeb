"""The evaluation report as a web page: the verdict with its reasons first, then figures, slices and pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tasks.domain.datasets.attribute_balance import NarrowRange
from tasks.domain.datasets.leakage import describe_leakage
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
    draw_slice_recalls,
    scale_bins,
)
from tasks.reports.pages.learning_curve_plots import draw_gains, draw_learning_curve
from tasks.reports.pages.template import render

# The most further suggestions what to collect; collect.json has all of them.
_LISTED = 8
_SUSPECTS = "probably a wrong label"


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What the report is about.

    Attributes:
        dataset: The dataset version.
        challenger: The challenger with its evaluation and verdict.
        mistakes: Its misclassified test images.
        card: The data card, as it is stored in JSON.
        minimum: The fewest test images of a class or slice whose figures count as known.
        curves: Learning curves of the classes.
        registered: The name and version under which the model is registered; empty where it is not.
    """

    dataset: Dataset
    challenger: Challenger
    mistakes: Misclassifications
    card: Mapping[str, Any]
    minimum: int
    curves: LearningCurves = NO_CURVES
    registered: str = ""

    @property
    def model_name(self) -> str:
        """Return how people call the model: its name and version, or its head where it is in no registry."""
        return self.registered or f"head {self.challenger.model.head[:12]}"

    @property
    def suspects(self) -> list[Mapping[str, Any]]:
        """Return the images whose labels are probably wrong, by the data card."""
        return [
            image
            for finding in self.card.get("findings", ())
            if finding["kind"] == _SUSPECTS
            for image in finding["images"]
        ]

    @property
    def relabelled(self) -> list[tuple[RelabelledImage, LabelPrediction | None, LabelPrediction | None]]:
        """Return the relabelled photographs, with the predictions of head and champion for each."""
        evidence = self.challenger.evaluation.labels
        return list(zip(evidence.relabelling.moved, evidence.head, evidence.champion, strict=True)) if evidence else []

    @property
    def suspected(self) -> str:
        """Return how many labels are probably wrong, by class; empty for a card of an earlier version."""
        return next(
            (str(finding["meaning"]) for finding in self.card.get("findings", ()) if finding["kind"] == _SUSPECTS), ""
        )

    @property
    def advice(self) -> tuple[CollectionAdvice, ...]:
        """Return what to collect next, the most useful first."""
        test = self.challenger.evaluation.test
        narrow = [NarrowRange(**entry) for entry in self.card.get("narrow", ())]
        return advise_collection(test.figures, test.slices, self.minimum, self.curves.classes, narrow)


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule as the page shows it."""

    result: RuleResult
    state: Literal["passed", "failed", "ask", "inconclusive"]

    @property
    def row(self) -> RuleRow:
        """Return the cells of the rule's row, as in the tables of other screens."""
        return build_rule_row(asdict(self.result))


def list_pictured_images(report: EvaluationReport) -> list[str]:
    """List the hashes of the images that the page shows, each once, sorted."""
    mistakes = report.mistakes
    neighbours = [entry for mistake in mistakes.worst for entry in (*mistake.like_truth, *mistake.like_guess)]
    shown: list[Misclassification | Neighbour] = [*mistakes.worst, *mistakes.fixed, *mistakes.new, *neighbours]
    doubted, relabelled = report.suspects[:MOST], report.relabelled[:MOST]
    return sorted(
        {entry.image for entry in (*shown, *(entry for entry, *_ in relabelled))}
        | {entry["image"] for entry in doubted}
    )


def render_evaluation_report(report: EvaluationReport, thumbnails: Mapping[str, str | None]) -> str:
    """Render the evaluation report.

    Args:
        report: What it is about.
        thumbnails: ``data:`` addresses by image hash; None for an image that is not stored any more.

    Returns:
        The page as HTML.
    """
    evaluation, verdict = report.challenger.evaluation, report.challenger.verdict
    sets = [("test split", evaluation.test)] + ([("golden set", evaluation.golden)] if evaluation.golden else [])
    return render(
        "evaluation.html.j2",
        model_name=report.model_name,
        figure_name=evaluation_plots.name_figure,
        dataset=report.dataset,
        leakage=describe_leakage(report.card, report.challenger.features.current.fingerprint),
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
        growth=draw_learning_curve(report.curves),
        gains=draw_gains(report.curves),
        curves=report.curves,
        others=[entry for entry in report.advice if entry.gain is None][:_LISTED],
        hidden=max(0, sum(entry.gain is None for entry in report.advice) - _LISTED),
        mistakes=report.mistakes,
        suspects=report.suspects,
        relabelled=report.relabelled,
        suspected=report.suspected,
        doubted={entry["image"] for entry in report.suspects},
        most=MOST,
        thumbnails=thumbnails,
    )


def classify_rule(result: RuleResult) -> RuleView:
    """Return a rule's result with the one word for it; a rule without enough images is inconclusive."""
    if result.silent:
        return RuleView(result, "inconclusive")
    return RuleView(result, "ask" if result.outcome == "ask" else "passed" if result.passed else "failed")


# Top of the first row and height of each row, in pixels.
_TOP, _ROW = 72, 26
_SQUARE, _EMPTY, _WIDTH = 670, 110, 960


def draw_figures(report: EvaluationReport) -> dict[str, bytes]:
    """Draw comparison, classes, slices, confusion matrix, calibration and learning curve, each as SVG, by file name."""
    evaluation, about, learning_curve = report.challenger.evaluation, _about(report), draw_learning_curve(report.curves)
    figures, confused = evaluation.test.figures, build_confusion_matrix(evaluation.test.figures)
    drawings = {
        "comparison": _rows(
            "Compared with the champion, in points", draw_differences(evaluation.test, report.minimum), about
        ),
        "classes": _rows("Recall by class, the worst first", draw_class_recalls(figures.classes), about),
        "slices": _rows("Recall by slice, the worst first", draw_slice_recalls(evaluation.test.slices), about),
        "confusion": _figure(
            "Confusion matrix",
            about,
            height=confused.bottom,
            width=max(_WIDTH, confused.right + 24),
            matrix=confused,
        ),
        "calibration": _figure("Calibration", about, height=_SQUARE, bins=scale_bins(figures.reliability)),
        "learning-curve": _figure(
            "Learning curve",
            about,
            height=_SQUARE if learning_curve else _EMPTY,
            growth=learning_curve,
            nothing="Too few images to estimate the effect of more.",
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


def _figure(title: str, about: str, *, height: int, width: int = _WIDTH, **facts: object) -> str:
    empty: dict[str, object] = dict.fromkeys(("rows", "matrix", "bins", "growth"), ())
    frame: dict[str, object] = {"title": title, "about": about, "height": height, "width": width}
    return render("figure.svg.j2", **{"nothing": "Nothing to show."} | empty | frame | facts)
