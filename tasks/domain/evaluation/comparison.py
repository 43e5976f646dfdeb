"""Comparison of challenger and champion on the same images: those of the classes that both models know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tasks.domain.evaluation.paired_tests import PairedDifference, compare_paired_figures
from tasks.domain.evaluation.predictions import Predictions, score_predictions
from tasks.domain.evaluation.slices import find_slices
from tasks.domain.labels.attributes import Attributes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """The images on which models are measured, in one order.

    Attributes:
        labels: The true class of each image.
        groups: The near-duplicate group of each image.
        attributes: The attributes of each image, as pairs of name and value.
        moved: The indices of the images whose label has changed since the champion was evaluated. No comparison uses
            them.
        finer: Each class that was split off from one that the champion knows, and the name of that one.
    """

    labels: Sequence[str]
    groups: Sequence[str]
    attributes: Sequence[Attributes]
    moved: frozenset[int] = frozenset()
    finer: Mapping[str, str] = field(default_factory=dict)

    def select(self, images: Sequence[bool], labels: Sequence[str] = ()) -> "EvaluationSet":
        """Return a subset of the images.

        Args:
            images: Whether each image belongs to the subset.
            labels: Other labels for all images; empty keeps those of the set.

        Returns:
            The subset. It forgets which labels were moved or split off.
        """

        def keep(values: Sequence[T]) -> list[T]:
            return [value for value, chosen in zip(values, images, strict=True) if chosen]

        return EvaluationSet(keep(labels or self.labels), keep(self.groups), keep(self.attributes))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which classes two models share, and how accurate both are on the test images of these.

    A model that answers with a class that only it knows is wrong about such an image.

    Attributes:
        shared: The classes that both know, sorted.
        only_challenger: The classes that only the challenger knows, sorted.
        only_champion: The classes that only the champion knows, sorted.
        images: How many images are compared.
        challenger: The challenger's accuracy on these; None where there are none.
        champion: The champion's accuracy on these; None where there are none.
        paired: The difference in every figure.
        moved: How many images are left out because their label has changed since the champion was evaluated.
        everywhere: The accuracies of challenger and champion by today's labels, images with a changed label included;
            None where no image is of a shared class.
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
        """Return the classes by which of the models knows them."""
        return {
            "shared": self.shared,
            "only_challenger": self.only_challenger,
            "only_champion": self.only_champion,
        }


def compare(challenger: Predictions, champion: Predictions, evaluation_set: EvaluationSet, seed: int = 0) -> Comparison:
    """Compare two models on the images of shared classes whose label has not changed since the champion was evaluated.

    A class that was merged from several of the champion's classes does not count as shared: the champion was never
    evaluated on it.

    Args:
        challenger: The challenger's predictions, one row an image of the evaluation set.
        champion: The champion's predictions, in the same order.
        evaluation_set: The images.
        seed: Seed of the bootstrap.

    Returns:
        The classes of both, their accuracies, and the difference in every figure.
    """
    new, old = set(challenger.classes), {*champion.classes} - champion.merged
    split_classes = {*evaluation_set.finer.values()}
    coarse, labels = _merge_finer_classes(challenger, evaluation_set)
    shared = tuple(sorted({*coarse.classes} & old))
    of_shared = np.array([label in shared for label in labels], bool)
    comparable = of_shared & np.array([index not in evaluation_set.moved for index in range(len(labels))], bool)
    differences: tuple[PairedDifference, ...] = ()
    if comparable.any():
        subset = evaluation_set.select(comparable.tolist(), labels)
        models = coarse.select(comparable), champion.select(comparable)
        differences = _compare_on_subset(models, subset, shared, seed)
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
        everywhere=_measure_accuracies((coarse, champion), labels, of_shared) if of_shared.any() else None,
    )


def _compare_on_subset(
    models: tuple[Predictions, Predictions], subset: EvaluationSet, shared: tuple[str, ...], seed: int
) -> tuple[PairedDifference, ...]:
    challenger, champion = (score_predictions(predictions, subset.labels, shared) for predictions in models)
    membership = find_slices(subset.labels, subset.attributes)
    _, groups = np.unique(np.array(subset.groups), return_inverse=True)
    return compare_paired_figures(challenger, champion, membership, groups.astype(np.int64), seed)


def _merge_finer_classes(challenger: Predictions, evaluation_set: EvaluationSet) -> tuple[Predictions, Sequence[str]]:
    """Give classes that were split off the name of the class that the champion knows, in predictions and labels.

    Returns:
        The challenger's predictions and the labels of all images, under the common names.
    """
    if not evaluation_set.finer:
        return challenger, evaluation_set.labels
    names, labels = (
        [evaluation_set.finer.get(label, label) for label in originals]
        for originals in (challenger.classes, evaluation_set.labels)
    )
    return challenger.rename_classes(names), labels


def _measure_accuracies(
    models: tuple[Predictions, Predictions], labels: Sequence[str], images: NDArray[np.bool_]
) -> tuple[float, float]:
    truth = np.array(labels)[images]
    challenger, champion = (float((np.array(predictions.labels())[images] == truth).mean()) for predictions in models)
    return challenger, champion
