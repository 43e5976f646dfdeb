"""The report's plots as files under names that are the same on each run, which MLflow shows as pictures."""

from collections.abc import Iterator, Sequence

from tasks.reports.pages.confusion_matrix import build_confusion_matrix
from tasks.reports.pages.evaluation_page import Report
from tasks.reports.pages.evaluation_plots import (
    Plot,
    draw_class_recalls,
    draw_differences,
    draw_learning_curve,
    draw_slice_recalls,
    scale_bins,
)
from tasks.reports.pages.template import render

# Where the first row is, and how high each one is.
_TOP, _ROW = 72, 26
_SQUARE, _EMPTY = 670, 110


def draw_figures(report: Report) -> dict[str, bytes]:
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


def _about(report: Report) -> str:
    challenger = report.challenger
    return (
        f"{challenger.verdict.title}. Head {challenger.trained.head[:12]} on dataset {report.dataset.hash[:12]}, "
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
