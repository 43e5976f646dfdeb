"""Challenger and champion on the same images: those of the classes that both know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tasks.domain.evaluation.paired_tests import PairedDifference, compare_paired_figures
from tasks.domain.evaluation.predictions import Predictions, score_predictions
from tasks.domain.evaluation.slices import find_slices
from tasks.domain.labels.labeling import Attributes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """The images that models are measured on, in one order: labels, groups of near duplicates, attributes.

    ``moved`` holds those images, by their place, whose label is not that under which the champion was judged: nothing
    is compared on them. ``finer`` names the classes that are part of one that the champion knows.
    """

    labels: Sequence[str]
    groups: Sequence[str]
    attributes: Sequence[Attributes]
    moved: frozenset[int] = frozenset()
    finer: Mapping[str, str] = field(default_factory=dict)

    def select(self, images: Sequence[bool], labels: Sequence[str] = ()) -> "EvaluationSet":
        """Keep some of the images, under other labels where such are given."""

        def select(values: Sequence[T]) -> list[T]:
            return [value for value, chosen in zip(values, images, strict=True) if chosen]

        return EvaluationSet(select(labels or self.labels), select(self.groups), select(self.attributes))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which classes two models share, each sorted, and both accuracies on the test images of these, if there are any.

    A model that answers with a class that only it knows is wrong about such an image. ``paired`` holds every figure's
    difference. So many images were ``moved`` to another label since the champion was judged and are left out, except
    from ``everywhere``: both accuracies, the challenger's first, on these and all others by today's labels.
    """

    shared: tuple[str, ...]
    only_challenger: tuple[str, ...]
    only_champion: tuple[str, ...]
    images: int
    challenger: float | None
    champion: float | None
    paired: tuple[PairedDifference, ...] = field(default=(), repr=False)
    moved: int = 0
    everywhere: tuple[float, float] | None = None

    def classes(self) -> dict[str, tuple[str, ...]]:
        """List the classes by who knows them."""
        return {
            "shared": self.shared,
            "only_challenger": self.only_challenger,
            "only_champion": self.only_champion,
        }


def compare(challenger: Predictions, champion: Predictions, evaluation_set: EvaluationSet, seed: int = 0) -> Comparison:
    """Compare two models on the images whose class both know and whose label nobody changed since the champion's.

    A class that was merged from several of the champion's is another one than any that it was judged on.
    """
    new, old, split_classes = (
        set(challenger.classes),
        {*champion.classes} - champion.merged,
        {*evaluation_set.finer.values()},
    )
    coarse, labels = _coarse(challenger, evaluation_set)
    shared = tuple(sorted({*coarse.classes} & old))
    of_shared = np.array([label in shared for label in labels], bool)
    comparable = of_shared & np.array([index not in evaluation_set.moved for index in range(len(labels))], bool)
    differences: tuple[PairedDifference, ...] = ()
    if comparable.any():
        subset = evaluation_set.select(comparable.tolist(), labels)
        new_answers, old_answers = (
            score_predictions(predictions.select(comparable), subset.labels, shared)
            for predictions in (coarse, champion)
        )
        _, groups = np.unique(np.array(subset.groups), return_inverse=True)
        differences = compare_paired_figures(
            new_answers, old_answers, find_slices(subset.labels, subset.attributes), groups.astype(np.int64), seed
        )
    accuracy = next((difference for difference in differences if difference.figure == "accuracy"), None)
    return Comparison(
        shared=shared,
        only_challenger=tuple(sorted(new - old)),
        only_champion=tuple(sorted(old - new - split_classes)),
        images=int(comparable.sum()),
        challenger=accuracy.challenger if accuracy else None,
        champion=accuracy.champion if accuracy else None,
        paired=differences,
        moved=int(of_shared.sum() - comparable.sum()),
        everywhere=_accuracies((coarse, champion), labels, of_shared) if of_shared.any() else None,
    )


def _coarse(challenger: Predictions, evaluation_set: EvaluationSet) -> tuple[Predictions, Sequence[str]]:
    """Give classes that are part of one that the champion knows that one's name, in the answers and on the images."""
    if not evaluation_set.finer:
        return challenger, evaluation_set.labels
    names, labels = (
        [evaluation_set.finer.get(label, label) for label in originals]
        for originals in (challenger.classes, evaluation_set.labels)
    )
    return challenger.rename_classes(names), labels


def _accuracies(
    models: tuple[Predictions, Predictions], labels: Sequence[str], images: NDArray[np.bool_]
) -> tuple[float, float]:
    truth = np.array(labels)[images]
    challenger, champion = (float((np.array(predictions.labels())[images] == truth).mean()) for predictions in models)
    return challenger, champion
