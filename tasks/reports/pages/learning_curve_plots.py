"""Plots of what more photographs would bring: the learning curve, and the likely gain of each class."""

from dataclasses import dataclass
from math import floor

from tasks.domain.evaluation.learning_curves import MORE, LearningCurve, LearningCurves
from tasks.reports.pages import plot_geometry
from tasks.reports.pages.evaluation_plots import Line, Plot

# The most classes of the plot of gains; learning.json has all of them.
_ROWS = 16
_GAIN = ("class", "gain in points", "95% interval", "training images now")


@dataclass(frozen=True, slots=True)
class LearningCurvePlot:
    """A learning curve, in percent from the left and from the top: measured points, and the extrapolation.

    Attributes:
        points: Where the measured points lie.
        future: Where the extrapolation lies.
        low: The lower end of its interval.
        high: Its upper end.
        across: The ticks of the training images.
        up: The ticks of the recall.
        words: How many training images there are, and how many the extrapolation is about.
        rows: The rows of its table: training images and recall, of each measured point and then the extrapolation.
    """

    points: tuple[tuple[float, float], ...]
    future: tuple[float, float]
    low: float
    high: float
    across: tuple[plot_geometry.Tick, ...]
    up: tuple[plot_geometry.Tick, ...]
    words: str
    rows: tuple[tuple[str, str], ...]

    @property
    def marks(self) -> list[tuple[float, float, str]]:
        """Return the place of each point, with its figures in words."""
        places = zip((*self.points, self.future), self.rows, strict=True)
        return [(x, y, f"{images} training images: recall {recall}") for (x, y), (images, recall) in places]


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
        rows=(
            *((f"{size:,}", f"{recall:.1%}") for size, recall in zip(overall.sizes, overall.recalls, strict=True)),
            (f"{future_images:,}", _extrapolation(overall, present_recall)),
        ),
    )


def _extrapolation(curve: LearningCurve, present_recall: float) -> str:
    """Return the recall that is expected, with its interval; no recall is more than 100%."""
    at, low, high = (f"{min(present_recall + more, 1):.1%}" for more in (curve.gain or 0, curve.low, curve.high))
    return f"likely {at}, 95% interval {low} to {high}"


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
    hidden = len(known_curves) - len(lines)
    return Plot(f"Gain of {MORE} more images of a class", "", _GAIN, lines, plot_geometry.choose_ticks(scale), hidden)


def _gain_line(curve: LearningCurve, scale: plot_geometry.Scale) -> Line:
    points, interval = f"{100 * (curve.gain or 0):+.1f}", f"{100 * curve.low:.1f} to {100 * curve.high:.1f}"
    return Line(
        curve.label,
        f"{points} ({interval}), {curve.images:,} now",
        plot_geometry.place_dot(scale, curve.gain or 0, curve.low, curve.high),
        "even",
        (curve.label, points, interval, f"{curve.images:,}"),
    )
