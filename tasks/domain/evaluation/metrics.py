"""How good a model is on a set of images, overall and class by class, as plain facts."""

from dataclasses import dataclass

import numpy as np

from tasks.domain.evaluation.comparison import Comparison, EvaluationSet, compare
from tasks.domain.evaluation.predictions import (
    BINS,
    Predictions,
    ScoredPredictions,
    compute_summands,
    figures_from_sums,
    score_predictions,
    split_class_counts,
)
from tasks.domain.evaluation.slices import (
    Gap,
    Slice,
    collect_slice_metrics,
    find_slices,
    find_worst_slice,
    measure_gaps,
    measure_slices,
)
from tasks.domain.significance import wilson_interval


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
class ReliabilityBin:
    """Images whose largest probability lies between two limits: how many, its mean, and the share of right answers."""

    low: float
    high: float
    images: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class ConfusedPair:
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
    reliability: tuple[ReliabilityBin, ...]
    confused: tuple[ConfusedPair, ...]

    def to_metrics(self) -> dict[str, float]:
        """List the figures under the names that stay the same from night to night, such as ``recall/poodle``.

        Of a class that is not known only its images are counted.
        """
        metrics = dict(self.overall)
        for class_figures in self.classes:
            rates = (
                {"recall": class_figures.recall, "precision": class_figures.precision} if class_figures.known else {}
            )
            shares = {**rates, "support": float(class_figures.images)}
            metrics |= {f"{name}/{class_figures.label}": value for name, value in shares.items() if value is not None}
        return metrics


def compute_figures(answers: ScoredPredictions, minimum: int = 1) -> Figures:
    """Measure a model's answers; fewer images than the minimum make a class unknown."""
    sums = np.asarray(compute_summands(answers).sum(axis=0), np.float64)
    overall = {name: float(value) for name, value in figures_from_sums(sums).items()}
    return Figures(
        images=len(answers.truth),
        overall={name: value for name, value in overall.items() if not np.isnan(value)},
        classes=_classes(answers, sums, minimum),
        reliability=_reliability(answers),
        confused=_confused(answers),
    )


def _classes(answers: ScoredPredictions, sums: np.ndarray, minimum: int) -> tuple[ClassFigures, ...]:
    images, hits, guesses = (part.astype(np.int64) for part in split_class_counts(sums))
    low, high = wilson_interval(hits, images)
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


def _reliability(answers: ScoredPredictions) -> tuple[ReliabilityBin, ...]:
    bins = np.minimum((answers.confidence * BINS).astype(np.int64), BINS - 1)
    images = np.bincount(bins, minlength=BINS)
    confidence = np.bincount(bins, answers.confidence, BINS)
    right = np.bincount(bins, answers.correct, BINS)
    return tuple(
        ReliabilityBin(
            i / BINS, (i + 1) / BINS, int(images[i]), float(confidence[i] / images[i]), float(right[i] / images[i])
        )
        for i in range(BINS)
        if images[i]
    )


def _confused(answers: ScoredPredictions) -> tuple[ConfusedPair, ...]:
    """List the pairs of classes that were confused, the most frequent first; other guesses have no name here."""
    wrong = ~answers.correct & (answers.predicted >= 0)
    pairs, counts = np.unique(np.stack([answers.truth[wrong], answers.predicted[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    names = answers.classes
    return tuple(ConfusedPair(names[pairs[0, i]], names[pairs[1, i]], int(counts[i])) for i in order)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The challenger's figures with its slices, and both models' differences where there is a champion.

    ``champion`` are its figures on the images of the classes that it knows itself.
    """

    figures: Figures
    slices: tuple[Slice, ...]
    gaps: tuple[Gap, ...]
    worst: Slice | None
    champion: Figures | None
    comparison: Comparison | None

    def to_metrics(self) -> dict[str, float]:
        """List the figures under the names that stay the same from night to night."""
        gap_metrics = {
            f"gap/{attribute_gap.attribute}": attribute_gap.gap
            for attribute_gap in self.gaps
            if attribute_gap.gap is not None
        }
        return {**self.figures.to_metrics(), **collect_slice_metrics(self.slices), **gap_metrics}


def measure_models(
    challenger: Predictions, champion: Predictions | None, evaluation_set: EvaluationSet, minimum: int
) -> Measurement:
    """Measure both models; classes and slices with fewer images than the minimum are unknown."""
    classes = tuple(sorted({*challenger.classes, *evaluation_set.labels}))
    answers = score_predictions(challenger, evaluation_set.labels, classes)
    measured_slices = measure_slices(
        find_slices(evaluation_set.labels, evaluation_set.attributes), answers.correct, minimum
    )
    return Measurement(
        figures=compute_figures(answers, minimum),
        slices=measured_slices,
        gaps=measure_gaps(measured_slices),
        worst=find_worst_slice(measured_slices),
        champion=_champion_figures(champion, evaluation_set, minimum) if champion else None,
        comparison=compare(challenger, champion, evaluation_set) if champion else None,
    )


def _champion_figures(champion: Predictions, evaluation_set: EvaluationSet, minimum: int) -> Figures | None:
    covered = np.array([label in champion.classes for label in evaluation_set.labels], bool)
    if not covered.any():
        return None
    labels = evaluation_set.select(covered.tolist()).labels
    return compute_figures(score_predictions(champion.select(covered), labels, champion.classes), minimum)
