"""The report's plots as files under names that are the same on each run, which MLflow shows as pictures."""

from collections.abc import Iterator, Sequence

from tasks.reports.pages.confusion_matrix import matrix
from tasks.reports.pages.evaluation_page import Report
from tasks.reports.pages.evaluation_plots import Plot, bins, classes, compared, growth, slices
from tasks.reports.pages.template import render

# Where the first row is, and how high each one is.
_TOP, _ROW = 72, 26
_SQUARE, _EMPTY = 670, 110


def figures(report: Report) -> dict[str, bytes]:
    """Draw what is compared, classes, slices, confusion, calibration and the learning curve, each as SVG."""
    evaluation, about, led = report.challenger.evaluation, _about(report), growth(report.curves)
    found, confused = evaluation.test.figures, matrix(evaluation.test.figures)
    drawn = {
        "comparison": _rows("Beside the champion, in points", compared(evaluation.test, report.minimum), about),
        "classes": _rows("Recall by class, the worst first", classes(found.classes), about),
        "slices": _rows("Recall by slice, the worst first", slices(evaluation.test.slices), about),
        "confusion": _figure("What is taken for what", about, height=confused.bottom, matrix=confused),
        "calibration": _figure(
            "Do probabilities mean what they say?", about, height=_SQUARE, bins=bins(found.reliability)
        ),
        "learning-curve": _figure(
            "Learning curve",
            about,
            height=_SQUARE if led else _EMPTY,
            growth=led,
            nothing="Too few images to tell what more of them would bring.",
        ),
    }
    return {f"figures/{name}.svg": text.encode() for name, text in drawn.items()}


def _about(report: Report) -> str:
    challenger = report.challenger
    return (
        f"{challenger.verdict.title}. Head {challenger.trained.head[:12]} on dataset {report.dataset.hash[:12]}, "
        f"{challenger.evaluation.images:,} test images"
    )


def _rows(title: str, found: Sequence[Plot], about: str) -> str:
    placed = [(kind, _TOP + _ROW * number, one) for number, (kind, one) in enumerate(_each(found))]
    return _figure(title, about, height=_TOP + _ROW * (len(placed) + 1), rows=placed)


def _each(found: Sequence[Plot]) -> Iterator[tuple[str, object]]:
    for one in found:
        if one.title:
            yield "head", one.title
        yield from (("line", (line, one.ticks)) for line in one.lines)
        yield "axis", one.ticks


def _figure(title: str, about: str, *, height: int, **facts: object) -> str:
    empty: dict[str, object] = dict.fromkeys(("rows", "matrix", "bins", "growth"), ())
    return render(
        "figure.svg.j2", title=title, about=about, height=height, **{"nothing": "Nothing to show."} | empty | facts
    )
