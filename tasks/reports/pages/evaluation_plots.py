"""Plots of the evaluation report: rows of dots with intervals, confused pairs, calibration and learning curves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor
from typing import Literal

from configs.gate_rules import FIGURES
from tasks.domain.evaluation.learning_curves import MORE, LearningCurve, LearningCurves
from tasks.domain.evaluation.metrics import ClassFigures, ConfusedPair, Measurement, ReliabilityBin
from tasks.domain.evaluation.paired_tests import PairedDifference
from tasks.domain.evaluation.slices import Slice, exclude_whole_slices
from tasks.domain.phrasing import count
from tasks.reports.pages import plot_geometry

# The most rows of a plot, confused pairs, and unknown slices; evaluation.json has all of them.
_ROWS, _PAIRS, _UNKNOWN = 16, 20, 8
# The log loss may widen a plot's scale by this factor at most.
_WIDER = 3
_NAMES = {
    "top_3": "top-3 accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "ece": "calibration error",
    "coverage": "coverage",
    "precision_when_sure": "selective accuracy",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a dot plot: its name, its figures as text, its position, and its style."""

    name: str
    words: str
    dot: plot_geometry.Dot
    look: Literal["better", "worse", "even", "unknown"]


@dataclass(frozen=True, slots=True)
class Plot:
    """A dot plot: rows on one scale; ``hidden`` more rows are not shown."""

    title: str
    lines: tuple[Line, ...]
    ticks: tuple[plot_geometry.Tick, ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class LearningCurvePlot:
    """A learning curve, in percent from the left and from the top: measured points, and the extrapolation."""

    points: tuple[tuple[float, float], ...]
    future: tuple[float, float]
    low: float
    high: float
    across: tuple[plot_geometry.Tick, ...]
    up: tuple[plot_geometry.Tick, ...]
    words: str


def name_figure(figure: str) -> str:
    """Return the name of a figure for people."""
    return _NAMES.get(figure, figure)


def draw_differences(measurement: Measurement, minimum: int) -> list[Plot]:
    """Plot the differences between challenger and champion: all figures, then classes and slices, largest drops first.

    Args:
        measurement: Both models on one evaluation set.
        minimum: The fewest images of a class or slice that is plotted.

    Returns:
        The plots that have rows.
    """
    whole_slices = {entry.name for entry in measurement.slices if entry.whole}
    differences = (
        [entry for entry in measurement.comparison.paired if entry.of not in whole_slices]
        if measurement.comparison
        else []
    )
    recalls = [entry for entry in differences if entry.figure == "recall" and entry.images >= minimum]
    parts = (
        ("All images", [entry for entry in differences if not entry.of]),
        ("Recall by class", [entry for entry in recalls if "=" not in entry.of]),
        ("Recall by slice", [entry for entry in recalls if "=" in entry.of]),
    )
    return [
        _difference_plot(title, rows)
        for title, rows in parts
        if any(entry.difference or not entry.of for entry in rows)
    ]


def _difference_plot(title: str, differences: Sequence[PairedDifference]) -> Plot:
    moved = sorted((pair for pair in differences if pair.difference), key=lambda pair: -abs(pair.difference))[:_ROWS]
    shown = differences if not differences[0].of else sorted(moved, key=lambda pair: (-pair.drop, pair.of))
    scale = _scale(shown)
    lines = tuple(_difference_line(pair, scale) for pair in shown)
    return Plot(title, lines, plot_geometry.choose_ticks(scale), len(differences) - len(shown))


def _scale(differences: Sequence[PairedDifference]) -> plot_geometry.Scale:
    """Return a scale for all differences; where the log loss, which is no share, is far larger, its interval is cut."""
    shares = plot_geometry.scale_around_zero(
        [bound for pair in differences if pair.figure != "log_loss" for bound in (pair.low, pair.high)]
    )
    every = plot_geometry.scale_around_zero([bound for pair in differences for bound in (pair.low, pair.high)])
    return every if every.high <= _WIDER * shares.high else shares


def _difference_line(pair: PairedDifference, scale: plot_geometry.Scale) -> Line:
    """Return the row of a difference; better is to the right, also for figures of which less is better."""
    more = FIGURES.get(pair.figure, True)
    low, high = (pair.low, pair.high) if more else (-pair.high, -pair.low)
    look: Literal["better", "worse", "even"] = "better" if low > 0 else "worse" if high < 0 else "even"
    words = f"{pair.challenger:.3f} against {pair.champion:.3f}"
    name = pair.of or name_figure(pair.figure)
    return Line(
        name,
        f"{words}, {count(pair.images, 'image')}" if pair.of else words,
        plot_geometry.place_dot(scale, -pair.drop, low, high),
        look,
    )


def draw_class_recalls(classes: Sequence[ClassFigures]) -> list[Plot]:
    """Plot the recall of each class, the worst first, then the classes whose recall is unknown."""
    known_classes = sorted(
        (figures for figures in classes if figures.known), key=lambda figures: (figures.recall or 0.0, figures.label)
    )
    unknown_classes = sorted(
        (figures for figures in classes if not figures.known), key=lambda figures: (figures.images, figures.label)
    )
    return [
        Plot(
            title,
            tuple(_class_line(figures) for figures in rows[:_ROWS]),
            plot_geometry.SHARE_TICKS,
            max(0, len(rows) - _ROWS),
        )
        for title, rows in (("", known_classes), ("Unknown: too few test images", unknown_classes))
        if rows
    ]


def _class_line(figures: ClassFigures) -> Line:
    precision = "" if figures.precision is None else f", precision {_percent(figures.precision)}"
    words = (
        f"{_percent(figures.recall)} of {figures.images:,}{precision}"
        if figures.known
        else count(figures.images, "test image")
    )
    dot = plot_geometry.place_dot(plot_geometry.SHARES, figures.recall or 0.0, figures.low, figures.high)
    return Line(figures.label, words, dot, "even" if figures.known else "unknown")


def draw_slice_recalls(slices: Sequence[Slice]) -> list[Plot]:
    """Plot the recall of each slice, the worst first, then the slices whose recall is unknown."""
    partial_slices = exclude_whole_slices(slices)
    known_slices = sorted(
        (data_slice for data_slice in partial_slices if data_slice.known),
        key=lambda data_slice: (data_slice.recall, -data_slice.images, data_slice.name),
    )
    unknown_slices = sorted(
        (data_slice for data_slice in partial_slices if not data_slice.known),
        key=lambda data_slice: (bool(data_slice.label), -data_slice.images, data_slice.name),
    )
    parts = (
        ("Over all classes", [data_slice for data_slice in known_slices if not data_slice.label], _ROWS),
        ("Within a class", [data_slice for data_slice in known_slices if data_slice.label], _ROWS),
        ("Unknown: too few test images", unknown_slices, _UNKNOWN),
    )
    return [
        Plot(
            title,
            tuple(_slice_line(data_slice) for data_slice in rows[:most]),
            plot_geometry.SHARE_TICKS,
            max(0, len(rows) - most),
        )
        for title, rows, most in parts
        if rows
    ]


def _slice_line(data_slice: Slice) -> Line:
    words = (
        f"{_percent(data_slice.recall)} of {data_slice.images:,}"
        if data_slice.known
        else count(data_slice.images, "image")
    )
    return Line(
        data_slice.name,
        words,
        plot_geometry.place_dot(plot_geometry.SHARES, data_slice.recall, data_slice.low, data_slice.high),
        "even" if data_slice.known else "unknown",
    )


def rank_confused_pairs(confused: Sequence[ConfusedPair]) -> list[tuple[ConfusedPair, int]]:
    """Return the most confused pairs, each with the length of its bar in percent of the longest."""
    shown = confused[:_PAIRS]
    return list(zip(shown, plot_geometry.compute_bar_lengths([pair.images for pair in shown]), strict=True))


def scale_bins(reliability: Iterable[ReliabilityBin]) -> list[tuple[ReliabilityBin, float]]:
    """Return the bins of the reliability diagram, each with the radius of its dot."""
    bins = list(reliability)
    most = max((reliability_bin.images for reliability_bin in bins), default=1)
    return [
        (reliability_bin, plot_geometry.compute_dot_radius(reliability_bin.images, most)) for reliability_bin in bins
    ]


def draw_learning_curve(curves: LearningCurves) -> LearningCurvePlot | None:
    """Plot the accuracy on all known classes by training images, extrapolated to 50 more of each class."""
    overall = curves.overall
    if overall is None or overall.gain is None:
        return None
    class_count = sum(entry.gain is not None for entry in curves.classes)
    future_images, present_recall = overall.images + MORE * class_count, overall.recalls[-1]
    x_scale, y_scale = (
        plot_geometry.Scale(0.0, 1.04 * future_images),
        plot_geometry.Scale(min(floor(10 * min(overall.recalls)) / 10, 0.9), 1.0),
    )
    step = 0.1 if y_scale.low >= 0.5 else 0.2  # noqa: PLR2004
    marks = [1 - step * number for number in range(floor((1 - y_scale.low) / step + 0.01) + 1)]
    return LearningCurvePlot(
        points=tuple(
            (x_scale.at(size), 100 - y_scale.at(entry))
            for size, entry in zip(overall.sizes, overall.recalls, strict=True)
        ),
        future=(x_scale.at(future_images), 100 - y_scale.at(present_recall + overall.gain)),
        low=100 - y_scale.at(present_recall + overall.low),
        high=100 - y_scale.at(present_recall + overall.high),
        across=tuple(
            plot_geometry.Tick(x_scale.at(size), f"{size:,}") for size in (*overall.sizes[::3], future_images)
        ),
        up=tuple(plot_geometry.Tick(100 - y_scale.at(mark), f"{100 * mark:.0f}%") for mark in marks),
        words=f"{overall.images:,} training images now, {future_images:,} with {MORE} more of each class",
    )


def draw_gains(curves: LearningCurves) -> Plot | None:
    """Plot what 50 more images of each class would likely add to its recall, the most first."""
    known_curves = sorted(
        (curve for curve in curves.classes if curve.gain is not None),
        key=lambda curve: (-(curve.gain or 0), curve.label),
    )
    if not known_curves:
        return None
    scale = plot_geometry.Scale(0.0, plot_geometry.scale_around_zero([curve.high for curve in known_curves]).high)
    lines = tuple(_gain_line(curve, scale) for curve in known_curves[:_ROWS])
    return Plot("", lines, plot_geometry.choose_ticks(scale), len(known_curves) - len(lines))


def _gain_line(curve: LearningCurve, scale: plot_geometry.Scale) -> Line:
    points = f"{100 * (curve.gain or 0):+.1f} ({100 * curve.low:.1f} to {100 * curve.high:.1f})"
    return Line(
        curve.label,
        f"{points}, {curve.images:,} now",
        plot_geometry.place_dot(scale, curve.gain or 0, curve.low, curve.high),
        "even",
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
