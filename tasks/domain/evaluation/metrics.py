"""Metrics of a model on a set of images: overall, by class, by slice, and beside the champion."""

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
    """The metrics of one class; shares are between 0 and 1.

    Attributes:
        label: The class.
        images: The number of its images.
        precision: None where nothing is predicted as this class.
        recall: None where the class has no image.
        low: The lower end of the recall's 95% interval.
        high: Its upper end.
        known: Whether there are enough images to know how well the class is recognised.
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
    """The images whose largest probability lies in one bin.

    Attributes:
        low: The lower limit of the bin.
        high: Its upper limit.
        images: The number of images.
        confidence: The mean of their largest probabilities.
        right: The share of correct predictions.
    """

    low: float
    high: float
    images: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """How many images of the class ``truth`` were predicted as the class ``guess``."""

    truth: str
    guess: str
    images: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All metrics of one model on one set of images.

    Attributes:
        images: The number of images.
        overall: Metrics of all images by name: shares, and the log loss in nats.
        classes: The metrics of each class.
        reliability: The bins that hold an image.
        confused: The pairs of classes that were confused, the most frequent first.
    """

    images: int
    overall: dict[str, float]
    classes: tuple[ClassFigures, ...]
    reliability: tuple[ReliabilityBin, ...]
    confused: tuple[ConfusedPair, ...]

    def to_metrics(self) -> dict[str, float]:
        """Return the metrics under names that stay the same from run to run, such as ``recall/poodle``.

        Returns:
            All metrics; for a class that is not known only the number of its images.
        """
        metrics = dict(self.overall)
        for class_figures in self.classes:
            rates = (
                {"recall": class_figures.recall, "precision": class_figures.precision} if class_figures.known else {}
            )
            shares = {**rates, "support": float(class_figures.images)}
            metrics |= {f"{name}/{class_figures.label}": value for name, value in shares.items() if value is not None}
        return metrics


def compute_figures(scored: ScoredPredictions, minimum: int = 1) -> Figures:
    """Compute the metrics of a model.

    Args:
        scored: The model's scored predictions.
        minimum: A class with fewer images counts as unknown.

    Returns:
        The metrics, without those that are undefined on these images.
    """
    sums = np.asarray(compute_summands(scored).sum(axis=0), np.float64)
    overall = {name: float(value) for name, value in figures_from_sums(sums).items()}
    return Figures(
        images=len(scored.truth),
        overall={name: value for name, value in overall.items() if not np.isnan(value)},
        classes=_compute_class_figures(scored, sums, minimum),
        reliability=_bin_by_confidence(scored),
        confused=_rank_confused_pairs(scored),
    )


def _compute_class_figures(scored: ScoredPredictions, sums: np.ndarray, minimum: int) -> tuple[ClassFigures, ...]:
    images, hits, predicted = (part.astype(np.int64) for part in split_class_counts(sums))
    low, high = wilson_interval(hits, images)
    return tuple(
        ClassFigures(
            label=label,
            images=int(images[i]),
            precision=float(hits[i] / predicted[i]) if predicted[i] else None,
            recall=float(hits[i] / images[i]) if images[i] else None,
            low=float(low[i]),
            high=float(high[i]),
            known=bool(images[i] >= minimum),
        )
        for i, label in enumerate(scored.classes)
    )


def _bin_by_confidence(scored: ScoredPredictions) -> tuple[ReliabilityBin, ...]:
    bins = np.minimum((scored.confidence * BINS).astype(np.int64), BINS - 1)
    images = np.bincount(bins, minlength=BINS)
    confidence = np.bincount(bins, scored.confidence, BINS)
    correct = np.bincount(bins, scored.correct, BINS)
    return tuple(
        ReliabilityBin(
            i / BINS, (i + 1) / BINS, int(images[i]), float(confidence[i] / images[i]), float(correct[i] / images[i])
        )
        for i in range(BINS)
        if images[i]
    )


def _rank_confused_pairs(scored: ScoredPredictions) -> tuple[ConfusedPair, ...]:
    """Return the confused pairs of classes, the most frequent first, without predictions outside of the classes."""
    wrong = ~scored.correct & (scored.predicted >= 0)
    pairs, counts = np.unique(np.stack([scored.truth[wrong], scored.predicted[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    names = scored.classes
    return tuple(ConfusedPair(names[pairs[0, i]], names[pairs[1, i]], int(counts[i])) for i in order)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The challenger's metrics and slices, and the comparison with the champion where there is one.

    Attributes:
        figures: The challenger's metrics.
        slices: Its recall on each slice.
        gaps: The gap between the best and the worst value of each attribute.
        worst: The known slice with the lowest recall, if any.
        champion: The champion's metrics on the images of the classes that it knows; None without a champion or such
            images.
        comparison: Both models on the same images; None without a champion.
    """

    figures: Figures
    slices: tuple[Slice, ...]
    gaps: tuple[Gap, ...]
    worst: Slice | None
    champion: Figures | None
    comparison: Comparison | None

    def to_metrics(self) -> dict[str, float]:
        """Return the metrics under names that stay the same from run to run."""
        gap_metrics = {
            f"gap/{attribute_gap.attribute}": attribute_gap.gap
            for attribute_gap in self.gaps
            if attribute_gap.gap is not None
        }
        return {**self.figures.to_metrics(), **collect_slice_metrics(self.slices), **gap_metrics}


def measure_models(
    challenger: Predictions, champion: Predictions | None, evaluation_set: EvaluationSet, minimum: int
) -> Measurement:
    """Compute the metrics of both models on the same images.

    Args:
        challenger: The challenger's predictions, one row an image of the set.
        champion: The champion's predictions in the same order; None without a champion.
        evaluation_set: The images.
        minimum: Classes and slices with fewer images count as unknown.

    Returns:
        The challenger's metrics, beside the champion's.
    """
    classes = tuple(sorted({*challenger.classes, *evaluation_set.labels}))
    scored = score_predictions(challenger, evaluation_set.labels, classes)
    slices = measure_slices(find_slices(evaluation_set.labels, evaluation_set.attributes), scored.correct, minimum)
    return Measurement(
        figures=compute_figures(scored, minimum),
        slices=slices,
        gaps=measure_gaps(slices),
        worst=find_worst_slice(slices),
        champion=_compute_champion_figures(champion, evaluation_set, minimum) if champion else None,
        comparison=compare(challenger, champion, evaluation_set) if champion else None,
    )


def _compute_champion_figures(champion: Predictions, evaluation_set: EvaluationSet, minimum: int) -> Figures | None:
    covered = np.array([label in champion.classes for label in evaluation_set.labels], bool)
    if not covered.any():
        return None
    labels = evaluation_set.select(covered.tolist()).labels
    return compute_figures(score_predictions(champion.select(covered), labels, champion.classes), minimum)
