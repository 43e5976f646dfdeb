"""Challenger and champion on the same images: those of the classes that both know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tasks.domain.evaluation.paired_tests import Paired, paired
from tasks.domain.evaluation.predictions import Predictions, answered
from tasks.domain.evaluation.slices import members
from tasks.domain.labels.labeling import Attributes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exam:
    """The images that models are measured on, in one order: labels, groups of near duplicates, attributes.

    ``moved`` holds those images, by their place, whose label is not that under which the champion was judged: nothing
    is compared on them. ``finer`` names the classes that are part of one that the champion knows.
    """

    labels: Sequence[str]
    groups: Sequence[str]
    attributes: Sequence[Attributes]
    moved: frozenset[int] = frozenset()
    finer: Mapping[str, str] = field(default_factory=dict)

    def of(self, images: Sequence[bool], labels: Sequence[str] = ()) -> "Exam":
        """Keep some of the images, under other labels where such are given."""

        def some(values: Sequence[T]) -> list[T]:
            return [value for value, kept in zip(values, images, strict=True) if kept]

        return Exam(some(labels or self.labels), some(self.groups), some(self.attributes))


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
    paired: tuple[Paired, ...] = field(default=(), repr=False)
    moved: int = 0
    everywhere: tuple[float, float] | None = None

    def classes(self) -> dict[str, tuple[str, ...]]:
        """List the classes by who knows them."""
        return {
            "shared": self.shared,
            "only_challenger": self.only_challenger,
            "only_champion": self.only_champion,
        }


def compare(challenger: Predictions, champion: Predictions, exam: Exam, seed: int = 0) -> Comparison:
    """Compare two models on the images whose class both know and whose label nobody changed since the champion's.

    A class that was merged from several of the champion's is another one than any that it was judged on.
    """
    new, old, known = set(challenger.classes), {*champion.classes} - champion.merged, {*exam.finer.values()}
    ours, labels = _coarse(challenger, exam)
    shared = tuple(sorted({*ours.classes} & old))
    of_shared = np.array([label in shared for label in labels], bool)
    both = of_shared & np.array([place not in exam.moved for place in range(len(labels))], bool)
    found: tuple[Paired, ...] = ()
    if both.any():
        some = exam.of(both.tolist(), labels)
        new_answers, old_answers = (answered(one.of(both), some.labels, shared) for one in (ours, champion))
        _, groups = np.unique(np.array(some.groups), return_inverse=True)
        found = paired(new_answers, old_answers, members(some.labels, some.attributes), groups.astype(np.int64), seed)
    accuracy = next((one for one in found if one.figure == "accuracy"), None)
    return Comparison(
        shared=shared,
        only_challenger=tuple(sorted(new - old)),
        only_champion=tuple(sorted(old - new - known)),
        images=int(both.sum()),
        challenger=accuracy.challenger if accuracy else None,
        champion=accuracy.champion if accuracy else None,
        paired=found,
        moved=int(of_shared.sum() - both.sum()),
        everywhere=_accuracies((ours, champion), labels, of_shared) if of_shared.any() else None,
    )


def _coarse(challenger: Predictions, exam: Exam) -> tuple[Predictions, Sequence[str]]:
    """Give classes that are part of one that the champion knows that one's name, in the answers and on the images."""
    if not exam.finer:
        return challenger, exam.labels
    names, labels = ([exam.finer.get(one, one) for one in some] for some in (challenger.classes, exam.labels))
    return challenger.named(names), labels


def _accuracies(
    models: tuple[Predictions, Predictions], labels: Sequence[str], images: NDArray[np.bool_]
) -> tuple[float, float]:
    truth = np.array(labels)[images]
    ours, theirs = (float((np.array(one.labels())[images] == truth).mean()) for one in models)
    return ours, theirs
