"""What the evaluation report draws: rows of dots with intervals, confusion, calibration, learning curves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor
from typing import Literal

from configs.gate_rules import FIGURES
from tasks.domain.evaluation.learning_curves import MORE, Curve, Curves
from tasks.domain.evaluation.metrics import Bin, ClassFigures, Confused, Measured
from tasks.domain.evaluation.paired_tests import Paired
from tasks.domain.evaluation.slices import Slice, telling
from tasks.domain.phrasing import count
from tasks.reports.pages import plot_geometry

# So many rows of a plot, so many pairs, and so many unknown slices are shown; evaluation.json has all of them.
_ROWS, _PAIRS, _UNKNOWN = 16, 20, 8
# A plot is made at most so many times wider for the log loss.
_WIDER = 3
_NAMES = {
    "top_3": "right class among three",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "ece": "calibration error",
    "coverage": "share of sure answers",
    "precision_when_sure": "right when sure",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a dot plot: its name, its numbers in words, where it lies, and how it looks."""

    name: str
    words: str
    dot: plot_geometry.Dot
    look: Literal["better", "worse", "even", "unknown"]


@dataclass(frozen=True, slots=True)
class Plot:
    """Some rows on one scale; so many more are not shown."""

    title: str
    lines: tuple[Line, ...]
    ticks: tuple[plot_geometry.Tick, ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Growth:
    """A learning curve in percent from the left and from the top: what was tried, and where it leads."""

    points: tuple[tuple[float, float], ...]
    then: tuple[float, float]
    low: float
    high: float
    across: tuple[plot_geometry.Tick, ...]
    up: tuple[plot_geometry.Tick, ...]
    words: str


def figure_name(figure: str) -> str:
    """Name a figure as a person would."""
    return _NAMES.get(figure, figure)


def compared(found: Measured, minimum: int) -> list[Plot]:
    """Draw the differences: all figures, then classes and slices, those that lost most first."""
    whole = {one.name for one in found.slices if one.whole}
    pairs = [one for one in found.comparison.paired if one.of not in whole] if found.comparison else []
    recalls = [one for one in pairs if one.figure == "recall" and one.images >= minimum]
    parts = (
        ("All images", [one for one in pairs if not one.of]),
        ("Recall by class", [one for one in recalls if "=" not in one.of]),
        ("Recall by slice", [one for one in recalls if "=" in one.of]),
    )
    return [_differences(title, some) for title, some in parts if any(one.difference or not one.of for one in some)]


def _differences(title: str, found: Sequence[Paired]) -> Plot:
    moved = sorted((one for one in found if one.difference), key=lambda one: -abs(one.difference))[:_ROWS]
    shown = found if not found[0].of else sorted(moved, key=lambda one: (-one.fall, one.of))
    scale = _scale(shown)
    lines = tuple(_difference(one, scale) for one in shown)
    return Plot(title, lines, plot_geometry.ticks(scale), len(found) - len(shown))


def _scale(found: Sequence[Paired]) -> plot_geometry.Scale:
    """Hold all differences; the log loss is no share, and where it is far beyond all others its interval is cut."""
    shares = plot_geometry.around_nought(
        [bound for one in found if one.figure != "log_loss" for bound in (one.low, one.high)]
    )
    every = plot_geometry.around_nought([bound for one in found for bound in (one.low, one.high)])
    return every if every.high <= _WIDER * shares.high else shares


def _difference(one: Paired, scale: plot_geometry.Scale) -> Line:
    """Place a difference so that better is to the right, also for figures of which less is better."""
    more = FIGURES.get(one.figure, True)
    low, high = (one.low, one.high) if more else (-one.high, -one.low)
    look: Literal["better", "worse", "even"] = "better" if low > 0 else "worse" if high < 0 else "even"
    words = f"{one.challenger:.3f} against {one.champion:.3f}"
    name = one.of or figure_name(one.figure)
    return Line(
        name,
        f"{words}, {count(one.images, 'image')}" if one.of else words,
        plot_geometry.dot(scale, -one.fall, low, high),
        look,
    )


def classes(found: Sequence[ClassFigures]) -> list[Plot]:
    """Draw the recall of each class, the worst first, and those that are unknown."""
    known = sorted((one for one in found if one.known), key=lambda one: (one.recall or 0.0, one.label))
    unknown = sorted((one for one in found if not one.known), key=lambda one: (one.images, one.label))
    return [
        Plot(title, tuple(_class(one) for one in some[:_ROWS]), plot_geometry.SHARE_TICKS, max(0, len(some) - _ROWS))
        for title, some in (("", known), ("Unknown: too few test images", unknown))
        if some
    ]


def _class(one: ClassFigures) -> Line:
    precision = "" if one.precision is None else f", precision {_percent(one.precision)}"
    words = f"{_percent(one.recall)} of {one.images:,}{precision}" if one.known else count(one.images, "test image")
    dot = plot_geometry.dot(plot_geometry.SHARES, one.recall or 0.0, one.low, one.high)
    return Line(one.label, words, dot, "even" if one.known else "unknown")


def slices(found: Sequence[Slice]) -> list[Plot]:
    """Draw the recall of each slice, the worst first, and those that are unknown."""
    told = telling(found)
    known = sorted((one for one in told if one.known), key=lambda one: (one.recall, -one.images, one.name))
    unknown = sorted((one for one in told if not one.known), key=lambda one: (bool(one.label), -one.images, one.name))
    parts = (
        ("Over all classes", [one for one in known if not one.label], _ROWS),
        ("Within a class", [one for one in known if one.label], _ROWS),
        ("Unknown: too few test images", unknown, _UNKNOWN),
    )
    return [
        Plot(title, tuple(_slice(one) for one in some[:most]), plot_geometry.SHARE_TICKS, max(0, len(some) - most))
        for title, some, most in parts
        if some
    ]


def _slice(one: Slice) -> Line:
    words = f"{_percent(one.recall)} of {one.images:,}" if one.known else count(one.images, "image")
    return Line(
        one.name,
        words,
        plot_geometry.dot(plot_geometry.SHARES, one.recall, one.low, one.high),
        "even" if one.known else "unknown",
    )


def pairs(found: Sequence[Confused]) -> list[tuple[Confused, int]]:
    """Take the pairs that are confused most, each with the length of its bar."""
    shown = found[:_PAIRS]
    return list(zip(shown, plot_geometry.widths([one.images for one in shown]), strict=True))


def bins(found: Iterable[Bin]) -> list[tuple[Bin, float]]:
    """Give each bin of the reliability diagram its dot's radius."""
    there = list(found)
    most = max((one.images for one in there), default=1)
    return [(one, plot_geometry.bubble(one.images, most)) for one in there]


def growth(found: Curves) -> Growth | None:
    """Draw the accuracy of all known classes against the images learned from, and what 50 more of each would do."""
    whole = found.overall
    if whole is None or whole.gain is None:
        return None
    known = sum(one.gain is not None for one in found.classes)
    then, now = whole.images + MORE * known, whole.recalls[-1]
    right, up = (
        plot_geometry.Scale(0.0, 1.04 * then),
        plot_geometry.Scale(min(floor(10 * min(whole.recalls)) / 10, 0.9), 1.0),
    )
    step = 0.1 if up.low >= 0.5 else 0.2  # noqa: PLR2004
    marks = [1 - step * number for number in range(floor((1 - up.low) / step + 0.01) + 1)]
    return Growth(
        points=tuple((right.at(size), 100 - up.at(one)) for size, one in zip(whole.sizes, whole.recalls, strict=True)),
        then=(right.at(then), 100 - up.at(now + whole.gain)),
        low=100 - up.at(now + whole.low),
        high=100 - up.at(now + whole.high),
        across=tuple(plot_geometry.Tick(right.at(size), f"{size:,}") for size in (*whole.sizes[::3], then)),
        up=tuple(plot_geometry.Tick(100 - up.at(mark), f"{100 * mark:.0f}%") for mark in marks),
        words=f"{whole.images:,} training images now, {then:,} with {MORE} more of each class",
    )


def gains(found: Curves) -> Plot | None:
    """Draw what 50 more images of each class would likely add to its recall, the most first."""
    known = sorted(
        (one for one in found.classes if one.gain is not None), key=lambda one: (-(one.gain or 0), one.label)
    )
    if not known:
        return None
    scale = plot_geometry.Scale(0.0, plot_geometry.around_nought([one.high for one in known]).high)
    lines = tuple(_gain(one, scale) for one in known[:_ROWS])
    return Plot("", lines, plot_geometry.ticks(scale), len(known) - len(lines))


def _gain(one: Curve, scale: plot_geometry.Scale) -> Line:
    points = f"{100 * (one.gain or 0):+.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})"
    return Line(
        one.label, f"{points}, {one.images:,} now", plot_geometry.dot(scale, one.gain or 0, one.low, one.high), "even"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
