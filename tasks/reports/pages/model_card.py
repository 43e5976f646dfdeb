"""The model card: what a model is for, how good it is, and what is not known of it; as Markdown and as a page.

After Mitchell and others, "Model Cards for Model Reporting", FAT* 2019.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from configs.gate_rules import SERVED
from configs.visible_text import Markdown, markdown
from tasks.domain.datasets.leakage import leakage_sentences
from tasks.domain.evaluation.paired_tests import Paired
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.evaluation.slices import Slice, telling
from tasks.domain.phrasing import count, figure
from tasks.domain.significance import wilson_share
from tasks.reports.pages.evaluation_page import Report
from tasks.reports.pages.evaluation_plots import figure_name
from tasks.reports.pages.template import render

# So many slices, gaps and wishes are listed; evaluation.json has all slices.
_LISTED = 20
# What a share of the test images is a share of: only of these the interval is known without drawing images again.
_SHARES = ("accuracy", "top_3", "coverage")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words under a head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the card: sentences, a list, a table, and one address with its words, each as far as there is one."""

    title: str
    sentences: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    table: Table | None = None
    link: tuple[str, str] | None = None


def model_card(report: Report, data_card: str) -> tuple[Section, ...]:
    """Write the sections of a card; ``data_card`` is the address of the data card's page."""
    evaluation = report.challenger.evaluation
    found = (
        _use(report),
        _decision(report),
        _data(report, data_card),
        _figures(report),
        _classes(evaluation),
        _slices(evaluation.test.slices),
        _compared(evaluation),
        _gaps(report),
        _next(report),
        _trial(report),
    )
    return tuple(one for one in found if one.sentences or one.items or one.table)


def card_markdown(title: str, sections: Sequence[Section]) -> str:
    """Write the card as Markdown; whatever a class or key is called, it stays text."""
    lines = [f"# {markdown(title)}"]
    for one in sections:
        lines += ["", f"## {one.title}", *(f"\n{markdown(sentence)}" for sentence in one.sentences)]
        lines += ["", *(f"- {markdown(item)}" for item in one.items)] if one.items else []
        lines += ["", *_rows(one.table)] if one.table else []
        lines += ["", f"[{markdown(one.link[0])}]({one.link[1]})"] if one.link else []
    return "\n".join(lines) + "\n"


def card_html(title: str, sections: Sequence[Section]) -> str:
    """Write the card as a page of its own."""
    return render("model-card.html.j2", title=title, sections=sections)


def _use(report: Report) -> Section:
    classes, promise = report.dataset.classes, report.challenger.trained.promise
    doubt = "Each answer means I don't know, beside its best guess."
    if not promise.never:
        doubt = "Below, the answer is I don't know."
    return Section(
        "Intended use",
        (
            f"Tells {len(classes)} classes of photographs apart: {', '.join(classes)}.",
            f"Each photograph gets its likeliest class and the probabilities of all. It is {promise}. {doubt}",
            "A picture of none of these classes gets one of them, too.",
            "The figures hold for photographs like those of the data card; of others nothing is known.",
        ),
    )


def _decision(report: Report) -> Section:
    verdict = report.challenger.verdict
    return Section("Decision", (f"{verdict.title}: {verdict.reason}.",))


def _data(report: Report, address: str) -> Section:
    dataset, trained, choice = report.dataset, report.challenger.trained, report.challenger.embedded.choice
    sentences = (
        f"Dataset version {dataset.hash}, {dataset.images:,} images.",
        f"Parent version: {dataset.parent or 'none'}.",
        f"Head {trained.head} on backbone {trained.made.fingerprint}.",
        *((f"{choice}.",) if choice else ()),
    )
    return Section("Data", sentences, link=("The data card", address))


def _figures(report: Report) -> Section:
    evaluation = report.challenger.evaluation
    overall, images = evaluation.test.figures.overall, evaluation.images
    sure = round(overall.get("coverage", 0.0) * images)
    counts = dict.fromkeys(_SHARES, images) | {"precision_when_sure": sure}
    rows = tuple(
        (figure_name(name), f"{value:.3f}", _interval(*wilson_share(value, counts[name])) if name in counts else "")
        for name, value in overall.items()
    )
    said = (
        f"On {images:,} test images, which were not trained on; intervals are 95% Wilson intervals of shares of images."
    )
    held = report.challenger.trained.promise.held(overall, images)
    leaked = tuple(f"{one[0].upper()}{one[1:]}." for one in leakage_sentences(report.card))
    sentences = (said, f"Sure answers: {held}.", *leaked)
    return Section("Figures", sentences, table=Table(("figure", "value", "interval"), rows))


def _classes(evaluation: Evaluation) -> Section:
    rows = tuple(
        (
            one.label,
            f"{one.images:,}",
            figure(one.recall) if one.known else "unknown",
            _interval(one.low, one.high) if one.images else "",
            figure(one.precision) if one.known else "unknown",
        )
        for one in evaluation.test.figures.classes
    )
    return Section("Classes", table=Table(("class", "test images", "recall", "interval", "precision"), rows))


def _slices(found: Sequence[Slice]) -> Section:
    known = sorted((one for one in telling(found) if one.known), key=lambda one: (one.recall, one.name))
    rows = tuple(
        (one.name, f"{one.images:,}", f"{one.recall:.3f}", _interval(one.low, one.high)) for one in known[:_LISTED]
    )
    more = f" The worst {_LISTED} of {len(known):,}." if len(known) > _LISTED else ""
    said = (f"Images that share an attribute, over all classes or within one.{more}",)
    return Section("Slices", said if rows else (), table=Table(("slice", "test images", "recall", "interval"), rows))


def _compared(evaluation: Evaluation) -> Section:
    pairs = evaluation.comparison.paired if evaluation.comparison else ()
    rows = tuple(_pair(one) for one in pairs if not one.of)
    if not rows:
        return Section("Beside the champion")
    said = f"On the images of the classes that both know; the champion is the model of decision {evaluation.champion}."
    return Section(
        "Beside the champion", (said,), table=Table(("figure", "this model", "champion", "difference"), rows)
    )


def _pair(one: Paired) -> tuple[str, ...]:
    difference = f"{one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
    return figure_name(one.figure), f"{one.challenger:.3f}", f"{one.champion:.3f}", difference


def _gaps(report: Report) -> Section:
    evaluation, warnings = report.challenger.evaluation, report.card.get("warnings", ())
    unknown = [one.name for one in telling(evaluation.test.slices) if not one.known]
    classes = [f"{one.label} ({one.images:,})" for one in evaluation.test.figures.classes if not one.known]
    worst = evaluation.test.worst
    items = [f"The data card warns: {one}." for one in warnings]
    items += [f"Classes that are unknown, with their test images: {_first(classes)}."] if classes else []
    items += [f"Worst known slice: {worst.name}, {worst.recall:.1%} of {worst.images:,} images."] if worst else []
    if unknown:
        items.append(f"Slices unknown for lack of test images: {_first(unknown)}.")
    if report.suspects:
        items.append(f"The data card doubts {count(len(report.suspects), 'label')}: {report.suspected}.")
    if evaluation.champion_problem:
        items.append(f"It was not compared with its champion: {evaluation.champion_problem}.")
    if not any(one.rule.startswith(SERVED) for one in report.challenger.verdict.rules):
        items.append("The packaged model was not asked before this decision: gate.serve_check is off.")
    items += [] if evaluation.golden else ["No golden set was measured."]
    return Section("Known gaps", items=tuple(items))


def _next(report: Report) -> Section:
    found = report.wanted
    more = len(found) - _LISTED
    items = [f"{one.of}: {one.why}." for one in found[:_LISTED]] + ([f"{more:,} more"] if more > 0 else [])
    said = (
        "What more photographs would likely help most, then what a class's photographs lack and others' "
        "show, then what is recognised less often than all images are, then what has too few test images to tell."
    )
    return Section("What to collect next", (said,) if items else (), items=tuple(items))


def _trial(report: Report) -> Section:
    trial = report.challenger.trained.trial
    return Section("Would fine-tuning help?", (trial.sentence,) if trial else ())


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _interval(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}"


def _rows(table: Table) -> Iterable[str]:
    for row in (table.head, (Markdown("---"),) * len(table.head), *table.rows):
        yield f"| {' | '.join(map(markdown, row))} |"
