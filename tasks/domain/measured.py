"""All that is measured of a challenger, and of its champion, on one set of images."""

from dataclasses import dataclass

import numpy as np

from tasks.domain.answers import Predictions, answered
from tasks.domain.comparison import Comparison, Exam, compare
from tasks.domain.metrics import Figures, figures
from tasks.domain.slices import Gap, Slice, gaps, members, slice_metrics, slices, worst


@dataclass(frozen=True, slots=True)
class Measured:
    """The challenger's figures with its slices, and both models' differences where there is a champion.

    ``champion`` are its figures on the images of the classes that it knows itself.
    """

    figures: Figures
    slices: tuple[Slice, ...]
    gaps: tuple[Gap, ...]
    worst: Slice | None
    champion: Figures | None
    comparison: Comparison | None

    def flat(self) -> dict[str, float]:
        """List the figures under the names that stay the same from night to night."""
        gap = {f"gap/{one.attribute}": one.gap for one in self.gaps if one.gap is not None}
        return {**self.figures.flat(), **slice_metrics(self.slices), **gap}


def measure(challenger: Predictions, champion: Predictions | None, exam: Exam, minimum: int) -> Measured:
    """Measure both models; classes and slices with fewer images than the minimum are unknown."""
    classes = tuple(sorted({*challenger.classes, *exam.labels}))
    ours = answered(challenger, exam.labels, classes)
    found = slices(members(exam.labels, exam.attributes), ours.right, minimum)
    return Measured(
        figures=figures(ours, minimum),
        slices=found,
        gaps=gaps(found),
        worst=worst(found),
        champion=_former(champion, exam, minimum) if champion else None,
        comparison=compare(challenger, champion, exam) if champion else None,
    )


def _former(champion: Predictions, exam: Exam, minimum: int) -> Figures | None:
    known = np.array([label in champion.classes for label in exam.labels], bool)
    if not known.any():
        return None
    labels = exam.of(known.tolist()).labels
    return figures(answered(champion.of(known), labels, champion.classes), minimum)
