"""How good a model is on a set of images, overall and class by class, as plain facts."""

from dataclasses import dataclass

import numpy as np

from tasks.domain.evaluation.comparison import Comparison, Exam, compare
from tasks.domain.evaluation.predictions import BINS, Answers, Predictions, answered, classes_of, figures_of, parts_of
from tasks.domain.evaluation.slices import Gap, Slice, gaps, members, slice_metrics, slices, worst
from tasks.domain.significance import wilson


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class: its images, and shares between 0 and 1, None where there is nothing to divide; recall's interval.

    With too few images it is not known how well the class is recognised, whatever the shares are.
    """

    label: str
    images: int
    precision: float | None
    recall: float | None
    low: float
    high: float
    known: bool = True


@dataclass(frozen=True, slots=True)
class Bin:
    """Images whose largest probability lies between two limits: how many, its mean, and the share of right answers."""

    low: float
    high: float
    images: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Confused:
    """So many images of one class were taken for another."""

    truth: str
    guess: str
    images: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is measured on one set of images; ``overall`` holds shares, and the log loss in nats."""

    images: int
    overall: dict[str, float]
    classes: tuple[ClassFigures, ...]
    reliability: tuple[Bin, ...]
    confused: tuple[Confused, ...]

    def flat(self) -> dict[str, float]:
        """List the figures under the names that stay the same from night to night, such as ``recall/poodle``.

        Of a class that is not known only its images are counted.
        """
        found = dict(self.overall)
        for one in self.classes:
            known = {"recall": one.recall, "precision": one.precision} if one.known else {}
            shares = {**known, "support": float(one.images)}
            found |= {f"{name}/{one.label}": value for name, value in shares.items() if value is not None}
        return found


def figures(answers: Answers, minimum: int = 1) -> Figures:
    """Measure a model's answers; fewer images than the minimum make a class unknown."""
    sums = np.asarray(parts_of(answers).sum(axis=0), np.float64)
    overall = {name: float(value) for name, value in figures_of(sums).items()}
    return Figures(
        images=len(answers.truth),
        overall={name: value for name, value in overall.items() if not np.isnan(value)},
        classes=_classes(answers, sums, minimum),
        reliability=_reliability(answers),
        confused=_confused(answers),
    )


def _classes(answers: Answers, sums: np.ndarray, minimum: int) -> tuple[ClassFigures, ...]:
    images, hits, guesses = (part.astype(np.int64) for part in classes_of(sums))
    low, high = wilson(hits, images)
    return tuple(
        ClassFigures(
            label=label,
            images=int(images[i]),
            precision=float(hits[i] / guesses[i]) if guesses[i] else None,
            recall=float(hits[i] / images[i]) if images[i] else None,
            low=float(low[i]),
            high=float(high[i]),
            known=bool(images[i] >= minimum),
        )
        for i, label in enumerate(answers.classes)
    )


def _reliability(answers: Answers) -> tuple[Bin, ...]:
    bins = np.minimum((answers.confidence * BINS).astype(np.int64), BINS - 1)
    images = np.bincount(bins, minlength=BINS)
    confidence = np.bincount(bins, answers.confidence, BINS)
    right = np.bincount(bins, answers.right, BINS)
    return tuple(
        Bin(i / BINS, (i + 1) / BINS, int(images[i]), float(confidence[i] / images[i]), float(right[i] / images[i]))
        for i in range(BINS)
        if images[i]
    )


def _confused(answers: Answers) -> tuple[Confused, ...]:
    """List the pairs of classes that were confused, the most frequent first; other guesses have no name here."""
    wrong = ~answers.right & (answers.guess >= 0)
    pairs, counts = np.unique(np.stack([answers.truth[wrong], answers.guess[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    names = answers.classes
    return tuple(Confused(names[pairs[0, i]], names[pairs[1, i]], int(counts[i])) for i in order)


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
