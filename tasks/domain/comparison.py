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


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two accuracies on the images of the shared classes."""

    images: int
    challenger: float
    champion: float


def compare(challenger: Predictions, champion: Predictions, truth: Sequence[str]) -> Comparison | None:
    """Compare two models on the images whose class both know; None when there is no such image."""
    shared = set(challenger.classes) & set(champion.classes)
    rows = [
        (new == label, old == label)
        for new, old, label in zip(challenger.labels(), champion.labels(), truth, strict=True)
        if label in shared
    ]
    if not rows:
        return None
    right = np.mean(rows, axis=0)
    return Comparison(images=len(rows), challenger=float(right[0]), champion=float(right[1]))
