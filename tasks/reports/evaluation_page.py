"""The evaluation report as a page: the verdict and its reasons first, then figures, slices, and pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from configs.rules import FIGURES
from tasks.domain.measured import Measured
from tasks.domain.metrics import Bin, ClassFigures, Confused, Figures
from tasks.domain.mistakes import MOST, Mistake, Mistakes, Neighbour
from tasks.domain.night import Challenger, Dataset
from tasks.domain.paired import Paired
from tasks.domain.ruling import Ruling
from tasks.domain.slices import Slice
from tasks.domain.wording import count
from tasks.reports import plots
from tasks.reports.page import render

#: Up to so many classes the whole confusion matrix is shown, beyond that the pairs that are confused most.
MATRIX = 12
# So many rows of a plot, so many pairs, and so many unknown slices are shown; evaluation.json has all of them.
_ROWS, _PAIRS, _UNKNOWN = 16, 20, 8
# A plot is made at most so many times wider for the log loss.
_WIDER = 3
_SUSPECTS = "probably a wrong label"
_NAMES = {
    "top_3": "right class among three",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "ece": "calibration error",
    "coverage": "share of sure answers",
    "precision_when_sure": "right when sure",
}


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page tells of: the data card as it is kept in JSON, and how many images make a slice known."""

    dataset: Dataset
    challenger: Challenger
    mistakes: Mistakes
    card: Mapping[str, Any]
    minimum: int

    @property
    def suspects(self) -> list[Mapping[str, Any]]:
        """List the images whose label the data card doubts."""
        return [image for one in self.card.get("findings", ()) if one["kind"] == _SUSPECTS for image in one["images"]]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a dot plot: its name, its numbers in words, where it lies, and how it looks."""

    name: str
    words: str
    dot: plots.Dot
    look: Literal["better", "worse", "even", "unknown"]


@dataclass(frozen=True, slots=True)
class Plot:
    """Some rows on one scale; so many more are not shown."""

    title: str
    lines: tuple[Line, ...]
    ticks: tuple[plots.Tick, ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """One rule as the page tells it."""

    ruling: Ruling
    state: Literal["passed", "broken", "ask", "silent"]


def pictured(report: Report) -> list[str]:
    """Name the images that the page shows, each once, sorted."""
    found = report.mistakes
    near = [one for mistake in found.worst for one in (*mistake.like_truth, *mistake.like_guess)]
    shown: list[Mistake | Neighbour] = [*found.worst, *found.fixed, *found.new, *near]
    return sorted({one.image for one in shown} | {one["image"] for one in report.suspects[:MOST]})


def evaluation_page(report: Report, thumbnails: Mapping[str, str | None]) -> str:
    """Write the page; thumbnails are ``data:`` addresses by image."""
    evaluation, verdict = report.challenger.evaluation, report.challenger.verdict
    sets = [("test split", evaluation.test)] + ([("golden set", evaluation.golden)] if evaluation.golden else [])
    return render(
        "evaluation.html.j2",
        dataset=report.dataset,
        trained=report.challenger.trained,
        evaluation=evaluation,
        verdict=verdict,
        rules=[told(one) for one in verdict.rules],
        sets=[(name, one, _compared(one, report.minimum)) for name, one in sets],
        classes=_classes(evaluation.test.figures.classes),
        slices=_slices(evaluation.test.slices),
        matrix=_matrix(evaluation.test.figures),
        pairs=_pairs(evaluation.test.figures.confused),
        bins=_bins(evaluation.test.figures.reliability),
        mistakes=report.mistakes,
        suspects=report.suspects,
        doubted={one["image"] for one in report.suspects},
        most=MOST,
        thumbnails=thumbnails,
    )


def told(ruling: Ruling) -> Told:
    """Say what became of a rule in one word."""
    if ruling.silent:
        return Told(ruling, "silent")
    return Told(ruling, "ask" if ruling.outcome == "ask" else "passed" if ruling.passed else "broken")


def figure_name(figure: str) -> str:
    """Name a figure as a person would."""
    return _NAMES.get(figure, figure)


def _compared(found: Measured, minimum: int) -> list[Plot]:
    """Draw the differences: all figures, then classes and slices, those that lost most first."""
    pairs = found.comparison.paired if found.comparison else ()
    recalls = [one for one in pairs if one.figure == "recall" and one.images >= minimum]
    classes = [one for one in recalls if "=" not in one.of]
    parts = (
        ("All images", [one for one in pairs if not one.of]),
        ("Recall by class", classes),
        ("Recall by slice", [one for one in recalls if "=" in one.of]),
    )
    return [_differences(title, some) for title, some in parts if any(one.difference or not one.of for one in some)]


def _differences(title: str, found: Sequence[Paired]) -> Plot:
    moved = sorted((one for one in found if one.difference), key=lambda one: -abs(one.difference))[:_ROWS]
    shown = found if not found[0].of else sorted(moved, key=lambda one: (-one.fall, one.of))
    scale = _scale(shown)
    lines = tuple(_difference(one, scale) for one in shown)
    return Plot(title, lines, plots.ticks(scale), len(found) - len(shown))


def _scale(found: Sequence[Paired]) -> plots.Scale:
    """Hold all differences; the log loss is no share, and where it is far beyond all others its interval is cut."""
    shares = plots.around_nought([bound for one in found if one.figure != "log_loss" for bound in (one.low, one.high)])
    every = plots.around_nought([bound for one in found for bound in (one.low, one.high)])
    return every if every.high <= _WIDER * shares.high else shares


def _difference(one: Paired, scale: plots.Scale) -> Line:
    """Place a difference so that better is to the right, also for figures of which less is better."""
    more = FIGURES.get(one.figure, True)
    low, high = (one.low, one.high) if more else (-one.high, -one.low)
    look: Literal["better", "worse", "even"] = "better" if low > 0 else "worse" if high < 0 else "even"
    words = f"{one.challenger:.3f} against {one.champion:.3f}"
    name = one.of or figure_name(one.figure)
    return Line(
        name,
        f"{words}, {count(one.images, 'image')}" if one.of else words,
        plots.dot(scale, -one.fall, low, high),
        look,
    )


def _classes(found: Sequence[ClassFigures]) -> Plot:
    there = sorted((one for one in found if one.recall is not None), key=lambda one: (one.recall or 0.0, one.label))
    lines = tuple(
        Line(
            one.label,
            f"{_percent(one.recall)} of {one.images:,}"
            + ("" if one.precision is None else f", precision {_percent(one.precision)}"),
            plots.dot(plots.SHARES, one.recall or 0.0, one.low, one.high),
            "even",
        )
        for one in there[:_ROWS]
    )
    return Plot("", lines, plots.SHARE_TICKS, len(there) - len(lines))


def _slices(found: Sequence[Slice]) -> list[Plot]:
    known = sorted((one for one in found if one.known), key=lambda one: (one.recall, -one.images, one.name))
    unknown = sorted((one for one in found if not one.known), key=lambda one: (bool(one.label), -one.images, one.name))
    parts = (
        ("Over all classes", [one for one in known if not one.label], _ROWS),
        ("Within a class", [one for one in known if one.label], _ROWS),
        ("Unknown: too few test images", unknown, _UNKNOWN),
    )
    return [
        Plot(title, tuple(_slice(one) for one in some[:most]), plots.SHARE_TICKS, max(0, len(some) - most))
        for title, some, most in parts
        if some
    ]


def _slice(one: Slice) -> Line:
    words = f"{_percent(one.recall)} of {one.images:,}" if one.known else count(one.images, "image")
    return Line(
        one.name, words, plots.dot(plots.SHARES, one.recall, one.low, one.high), "even" if one.known else "unknown"
    )


def _matrix(found: Figures) -> list[tuple[str, list[tuple[int, int]]]]:
    """Lay out images by true and guessed class with their percentage of the true one; nothing of many classes."""
    labels = [one.label for one in found.classes]
    if len(labels) > MATRIX:
        return []
    counts = {(one.truth, one.guess): one.images for one in found.confused}
    counts |= {(one.label, one.label): round((one.recall or 0.0) * one.images) for one in found.classes}
    images = {one.label: max(one.images, 1) for one in found.classes}
    return [
        (
            truth,
            [
                (number, round(100 * number / images[truth]))
                for number in (counts.get((truth, one), 0) for one in labels)
            ],
        )
        for truth in labels
    ]


def _pairs(found: Sequence[Confused]) -> list[tuple[Confused, int]]:
    shown = found[:_PAIRS]
    return list(zip(shown, plots.widths([one.images for one in shown]), strict=True))


def _bins(found: Iterable[Bin]) -> list[tuple[Bin, float]]:
    bins = list(found)
    most = max((one.images for one in bins), default=1)
    return [(one, plots.bubble(one.images, most)) for one in bins]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
