"""How good a model is on a set of images, overall and class by class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A probability of nothing would make the log loss infinite; this is the smallest step of the float32 that it comes in.
_LEAST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares between 0 and 1 (the log loss in nats); recall is None for a class without images."""

    images: int
    accuracy: float
    macro_f1: float
    log_loss: float
    recall: dict[str, float | None]
    support: dict[str, int]

    def flat(self) -> dict[str, float]:
        """List the figures under the names that stay the same from night to night, such as ``recall/poodle``."""
        overall = {"accuracy": self.accuracy, "macro_f1": self.macro_f1, "log_loss": self.log_loss}
        recall = {f"recall/{name}": value for name, value in self.recall.items() if value is not None}
        return {**overall, **recall, **{f"support/{name}": float(number) for name, number in self.support.items()}}


def figures(probabilities: NDArray[np.float32], truth: Sequence[int], classes: Sequence[str]) -> Figures:
    """Measure probabilities of shape (images, classes) against the true classes, given as indices."""
    right = np.asarray(truth, dtype=np.int64)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (right, probabilities.argmax(axis=1)), 1)
    support, hits = confusion.sum(axis=1), confusion.diagonal()
    taken = np.take_along_axis(probabilities, right[:, None], axis=1).astype(np.float64)
    return Figures(
        images=len(right),
        accuracy=float(hits.sum() / len(right)),
        macro_f1=_macro_f1(confusion),
        log_loss=float(-np.log(np.maximum(taken, _LEAST)).mean()),
        recall={name: float(hits[i] / support[i]) if support[i] else None for i, name in enumerate(classes)},
        support={name: int(support[i]) for i, name in enumerate(classes)},
    )


def _macro_f1(confusion: NDArray[np.int64]) -> float:
    """Average 2 TP / (2 TP + FP + FN) over the classes that occur among the truths or the guesses."""
    hits = confusion.diagonal()
    touched = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = touched > 0
    return float((2 * hits[occurs] / touched[occurs]).mean())
