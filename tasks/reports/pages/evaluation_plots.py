"""Plots of the evaluation report: rows of dots with intervals, confused pairs, and calibration."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from configs.gate_rules import FIGURES
from tasks.domain.evaluation.metrics import ClassFigures, ConfusedPair, Measurement, ReliabilityBin
from tasks.domain.evaluation.paired_tests import PairedDifference
from tasks.domain.evaluation.slices import Slice, exclude_whole_slices
from tasks.domain.phrasing import count
from tasks.reports.pages import plot_geometry

# The most rows of a plot, confused pairs, and unknown slices; evaluation.json has all of them.
_ROWS, _PAIRS, _UNKNOWN = 16, 20, 8
_DIFFERENCE = ("figure", "challenger", "champion", "difference", "95% interval", "images")
_CLASS = ("class", "recall", "95% interval", "test images", "precision")
_SLICE = ("slice", "recall", "95% interval", "test images")
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
    """One row of a dot plot: its name, its figures as text, its position, its style, and its cells in a table."""

    name: str
    words: str
    dot: plot_geometry.Dot
    look: Literal["better", "worse", "even", "unknown"]
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A dot plot: rows on one scale; ``hidden`` more rows are not shown.

    Attributes:
        about: What it shows, for people who do not see it, and where a page has only one such plot.
        title: Its heading on a page that has several such plots; may be empty.
        head: The first row of its table: what the rows are, then the figures that each of them has.
        lines: Its rows.
        ticks: The ticks of their scale.
        hidden: How many more rows are not shown.
    """

    about: str
    title: str
    head: tuple[str, ...]
    lines: tuple[Line, ...]
    ticks: tuple[plot_geometry.Tick, ...]
    hidden: int = 0

    def describe(self, line: Line) -> str:
        """Describe a row in one sentence: each figure with its name, as far as it is known."""
        figures = [f"{name} {cell}" for name, cell in zip(self.head[1:], line.cells[1:], strict=True) if cell]
        return f"{line.cells[0]}: {', '.join(figures)}"


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
    about = f"Challenger and champion: {title[0].lower()}{title[1:]}"
    hidden = len(differences) - len(shown)
    return Plot(about, title, _DIFFERENCE, lines, plot_geometry.choose_ticks(scale), hidden)


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
        (
            name,
            f"{pair.challenger:.3f}",
            f"{pair.champion:.3f}",
            f"{pair.difference:+.3f}",
            f"{pair.low:+.3f} to {pair.high:+.3f}",
            f"{pair.images:,}",
        ),
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
            f"Recall by class{', unknown' if title else ''}",
            title,
            _CLASS,
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
    cells = (
        figures.label,
        *_recall_cells(figures.recall, figures),
        _percent(figures.precision if figures.known else None),
    )
    return Line(figures.label, words, dot, "even" if figures.known else "unknown", cells)


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
            f"Recall by slice: {title[0].lower()}{title[1:]}",
            title,
            _SLICE,
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
        (data_slice.name, *_recall_cells(data_slice.recall, data_slice)),
    )


def _recall_cells(recall: float | None, figures: ClassFigures | Slice) -> tuple[str, str, str]:
    """Return recall, interval and images; of too few images nobody should read a share."""
    if not figures.known:
        return "unknown", "", f"{figures.images:,}"
    return _percent(recall), f"{figures.low:.1%} to {figures.high:.1%}", f"{figures.images:,}"


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


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
