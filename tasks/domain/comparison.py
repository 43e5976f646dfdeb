"""Challenger and champion on the same images: those of the classes that both know."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from tasks.domain.answers import Predictions, answered
from tasks.domain.labels import Attributes
from tasks.domain.paired import Paired, paired
from tasks.domain.slices import members

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exam:
    """The images that models are measured on, in one order: labels, groups of near duplicates, attributes."""

    labels: Sequence[str]
    groups: Sequence[str]
    attributes: Sequence[Attributes]

    def of(self, images: Sequence[bool]) -> "Exam":
        """Keep some of the images."""

        def some(values: Sequence[T]) -> list[T]:
            return [value for value, kept in zip(values, images, strict=True) if kept]

        return Exam(some(self.labels), some(self.groups), some(self.attributes))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which classes two models share, each sorted, and both accuracies on the test images of these, if there are any.

    A model that answers with a class that only it knows is wrong about such an image. ``paired`` holds every figure's
    difference.
    """

    shared: tuple[str, ...]
    only_challenger: tuple[str, ...]
    only_champion: tuple[str, ...]
    images: int
    challenger: float | None
    champion: float | None
    paired: tuple[Paired, ...] = field(default=(), repr=False)

    def classes(self) -> dict[str, tuple[str, ...]]:
        """List the classes by who knows them."""
        return {
            "shared": self.shared,
            "only_challenger": self.only_challenger,
            "only_champion": self.only_champion,
        }


def compare(challenger: Predictions, champion: Predictions, exam: Exam, seed: int = 0) -> Comparison:
    """Compare two models on the images whose class both know."""
    new, old = set(challenger.classes), set(champion.classes)
    shared = tuple(sorted(new & old))
    both = np.array([label in new & old for label in exam.labels], bool)
    found: tuple[Paired, ...] = ()
    if both.any():
        some = exam.of(both.tolist())
        ours, theirs = (answered(one.of(both), some.labels, shared) for one in (challenger, champion))
        _, groups = np.unique(np.array(some.groups), return_inverse=True)
        found = paired(ours, theirs, members(some.labels, some.attributes), groups.astype(np.int64), seed)
    accuracy = next((one for one in found if one.figure == "accuracy"), None)
    return Comparison(
        shared=shared,
        only_challenger=tuple(sorted(new - old)),
        only_champion=tuple(sorted(old - new)),
        images=int(both.sum()),
        challenger=accuracy.challenger if accuracy else None,
        champion=accuracy.champion if accuracy else None,
        paired=found,
    )
