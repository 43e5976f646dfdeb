"""The model card: what a model is for, how good it is, and what is unknown about it, as sections.

Source: Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.gate_rules import SERVED
from tasks.domain.datasets.leakage import describe_leakage
from tasks.domain.evaluation.metrics import Figures
from tasks.domain.evaluation.paired_tests import PairedDifference
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.evaluation.slices import Slice, exclude_whole_slices
from tasks.domain.phrasing import count, format_figure
from tasks.domain.significance import wilson_share
from tasks.domain.training.calibration import Promise
from tasks.reports.pages.evaluation_page import EvaluationReport
from tasks.reports.pages.evaluation_plots import name_figure
from tasks.reports.pages.template import render

# The most slices, gaps and suggestions that are listed; evaluation.json has all slices.
_LISTED = 20
_LATER = (
    "The gate decided this at the end of the run. A person may have decided otherwise since: the last decision stands "
    "in MLflow, in the description of the model version."
)
# Shares of the test images: their Wilson intervals need no resampling.
_SHARES = ("accuracy", "top_3", "coverage")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the card: sentences, a list, a table, code, and a link (text, address), each if there is any."""

    title: str
    sentences: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    table: Table | None = None
    link: tuple[str, str] | None = None
    code: str = ""
    language: str = "sh"


def build_model_card(report: EvaluationReport, data_card: str) -> tuple[Section, ...]:
    """Build the sections of a model card; sections without content are left out.

    Args:
        report: The evaluation report.
        data_card: The address of the data card's page.

    Returns:
        The sections in their order.
    """
    evaluation = report.challenger.evaluation
    sections = (
        describe_use(report.dataset.classes, report.challenger.model.promise),
        describe_scope(),
        _decision(report),
        _data(report, data_card),
        describe_figures(evaluation.test.figures, report.challenger.model.promise, report.card),
        describe_classes(evaluation.test.figures),
        describe_slices(evaluation.test.slices),
        _comparison(evaluation),
        _gaps(report),
        _advice(report),
        _trial(report),
    )
    return tuple(section for section in sections if section.sentences or section.items or section.table)


def render_card_html(title: str, sections: Sequence[Section]) -> str:
    """Render a model card as a web page.

    Args:
        title: The title.
        sections: The sections.

    Returns:
        The page as HTML.
    """
    return render("model-card.html.j2", title=title, sections=sections)


def describe_use(classes: Sequence[str], promise: Promise) -> Section:
    """Describe what a model answers.

    Args:
        classes: The classes that it knows.
        promise: From which probability on it is confident.

    Returns:
        The section.
    """
    doubt = "Each answer means I don't know, beside its best guess."
    if not promise.never_confident:
        doubt = "Below, the answer is I don't know."
    return Section(
        "Intended use",
        (
            f"Tells {len(classes)} classes of photographs apart: {', '.join(classes)}.",
            f"Each photograph gets its likeliest class and the probabilities of all. It is {promise}. {doubt}",
        ),
    )


def describe_scope() -> Section:
    """Describe what a model is not for."""
    return Section(
        "Out of scope",
        (
            "A picture of none of these classes gets one of them as well.",
            "The figures hold for photographs like those of the data card; for others nothing is known.",
        ),
    )


def _decision(report: EvaluationReport) -> Section:
    verdict = report.challenger.verdict
    return Section("The gate's decision", (f"{verdict.title}: {verdict.reason}.", _LATER))


def _data(report: EvaluationReport, address: str) -> Section:
    dataset, trained, choice = report.dataset, report.challenger.model, report.challenger.features.choice
    sentences = (
        f"Dataset version {dataset.hash}, {dataset.images:,} images.",
        f"Parent version: {dataset.parent or 'none'}.",
        f"Head {trained.head} on backbone {trained.features.fingerprint}.",
        *((f"{choice}.",) if choice else ()),
    )
    return Section("Data", sentences, link=("The data card", address))


def describe_figures(figures: Figures, promise: Promise, card: Mapping[str, Any]) -> Section:
    """List a model's figures on the test split.

    Args:
        figures: The figures.
        promise: From which probability on the model is confident.
        card: The data card, as it is stored in JSON, which tells of leakage between splits.

    Returns:
        The section.
    """
    overall, images = figures.overall, figures.images
    confident = round(overall.get("coverage", 0.0) * images)
    counts = dict.fromkeys(_SHARES, images) | {"precision_when_sure": confident}
    rows = tuple(
        (name_figure(name), f"{value:.3f}", _interval(*wilson_share(value, counts[name])) if name in counts else "")
        for name, value in overall.items()
    )
    note = (
        f"On {images:,} test images, which were not trained on; intervals are 95% Wilson intervals of shares of images."
    )
    leaked = tuple(f"{sentence[0].upper()}{sentence[1:]}." for sentence in describe_leakage(card))
    sentences = (note, f"Sure answers: {promise.describe_held(overall, images)}.", *leaked)
    return Section("Figures", sentences, table=Table(("figure", "value", "interval"), rows))


def describe_classes(known: Figures) -> Section:
    """List how well each class is recognised."""
    rows = tuple(
        (
            figures.label,
            f"{figures.images:,}",
            format_figure(figures.recall) if figures.known else "unknown",
            _interval(figures.low, figures.high) if figures.images else "",
            format_figure(figures.precision) if figures.known else "unknown",
        )
        for figures in known.classes
    )
    return Section("Classes", table=Table(("class", "test images", "recall", "interval", "precision"), rows))


def describe_slices(slices: Sequence[Slice]) -> Section:
    """List how well slices are recognised, the worst first."""
    known_slices = sorted(
        (data_slice for data_slice in exclude_whole_slices(slices) if data_slice.known),
        key=lambda data_slice: (data_slice.recall, data_slice.name),
    )
    rows = tuple(
        (
            data_slice.name,
            f"{data_slice.images:,}",
            f"{data_slice.recall:.3f}",
            _interval(data_slice.low, data_slice.high),
        )
        for data_slice in known_slices[:_LISTED]
    )
    more = f" The worst {_LISTED} of {len(known_slices):,}." if len(known_slices) > _LISTED else ""
    notes = (f"Images that share an attribute, over all classes or within one.{more}",)
    return Section("Slices", notes if rows else (), table=Table(("slice", "test images", "recall", "interval"), rows))


def _comparison(evaluation: Evaluation) -> Section:
    pairs = evaluation.comparison.paired if evaluation.comparison else ()
    rows = tuple(_pair(pair) for pair in pairs if not pair.of)
    if not rows:
        return Section("Compared with the champion")
    note = f"On the images of the classes that both know; the champion is the model of decision {evaluation.champion}."
    return Section(
        "Compared with the champion", (note,), table=Table(("figure", "this model", "champion", "difference"), rows)
    )


def _pair(pair: PairedDifference) -> tuple[str, ...]:
    difference = f"{pair.difference:+.3f} ({pair.low:+.3f} to {pair.high:+.3f})"
    return name_figure(pair.figure), f"{pair.challenger:.3f}", f"{pair.champion:.3f}", difference


def _gaps(report: EvaluationReport) -> Section:
    evaluation, warnings = report.challenger.evaluation, report.card.get("warnings", ())
    unknown = [entry.name for entry in exclude_whole_slices(evaluation.test.slices) if not entry.known]
    classes = [f"{entry.label} ({entry.images:,})" for entry in evaluation.test.figures.classes if not entry.known]
    worst = evaluation.test.worst
    items = [f"The data card warns: {entry}." for entry in warnings]
    items += [f"Classes that are unknown, with their test images: {_first(classes)}."] if classes else []
    items += [f"Worst known slice: {worst.name}, {worst.recall:.1%} of {worst.images:,} images."] if worst else []
    if unknown:
        items.append(f"Slices unknown for lack of test images: {_first(unknown)}.")
    if report.suspects:
        items.append(f"The data card doubts {count(len(report.suspects), 'label')}: {report.suspected}.")
    if evaluation.champion_problem:
        items.append(f"It was not compared with its champion: {evaluation.champion_problem}.")
    if not any(entry.rule.startswith(SERVED) for entry in report.challenger.verdict.rules):
        items.append("There was no smoke test of the packaged model before this decision: gate.serve_check is off.")
    items += [] if evaluation.golden else ["No golden set was measured."]
    return Section("Known gaps", items=tuple(items))


def _advice(report: EvaluationReport) -> Section:
    advice = report.advice
    more = len(advice) - _LISTED
    items = [f"{suggestion.of}: {suggestion.why}." for suggestion in advice[:_LISTED]] + (
        [f"{more:,} more"] if more > 0 else []
    )
    note = (
        "First the classes that would likely gain most from more photographs, then what a class's photographs lack and "
        "others show, then what is recognised less often than average, then what has too few test images."
    )
    return Section("What to collect next", (note,) if items else (), items=tuple(items))


def _trial(report: EvaluationReport) -> Section:
    trial = report.challenger.model.trial
    return Section("Would fine-tuning help?", (trial.sentence,) if trial else ())


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _interval(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}"
