"""Challenger and champion on the same images: those of the classes that both know."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Predictions:
    """What one model says of some images: probabilities of shape (images, classes)."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]

    def labels(self) -> list[str]:
        """Name the likeliest class of each image."""
        return [self.classes[index] for index in self.probabilities.argmax(axis=1)]

    def named(self, classes: Sequence[str]) -> "Predictions":
        """Give the classes other names, in their order; those of one name become one class, with their sum."""
        names = tuple(dict.fromkeys(classes))
        sums = np.zeros((len(self.probabilities), len(names)), np.float32)
        for name, column in zip(classes, self.probabilities.T, strict=True):
            sums[:, names.index(name)] += column
        return Predictions(names, sums)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which classes two models share, each sorted, and both accuracies on the test images of these, if there are any.

    A model that answers with a class that only it knows is wrong about such an image.
    """

    shared: tuple[str, ...]
    only_challenger: tuple[str, ...]
    only_champion: tuple[str, ...]
    images: int
    challenger: float | None
    champion: float | None

    def classes(self) -> dict[str, tuple[str, ...]]:
        """List the classes by who knows them."""
        return {
            "shared": self.shared,
            "only_challenger": self.only_challenger,
            "only_champion": self.only_champion,
        }


def compare(challenger: Predictions, champion: Predictions, truth: Sequence[str]) -> Comparison:
    """Compare two models on the images whose class both know."""
    new, old = set(challenger.classes), set(champion.classes)
    rows = [
        (ours == label, theirs == label)
        for ours, theirs, label in zip(challenger.labels(), champion.labels(), truth, strict=True)
        if label in new & old
    ]
    right = np.mean(rows, axis=0) if rows else (None, None)
    return Comparison(
        shared=tuple(sorted(new & old)),
        only_challenger=tuple(sorted(new - old)),
        only_champion=tuple(sorted(old - new)),
        images=len(rows),
        challenger=None if right[0] is None else float(right[0]),
        champion=None if right[1] is None else float(right[1]),
    )
