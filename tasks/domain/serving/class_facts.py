"""Class facts: what a model knows of a class, in numbers that people can weigh an answer by."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.evaluation.slices import find_slices, find_worst_slice, measure_slices

# Of fewer test images a recall says nothing about a slice.
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """What a model knows of a class.

    Attributes:
        label: The class.
        training_images: The number of training images.
        test_images: The number of test images.
        recall: The share of these that the model predicts correctly; None where there is none.
        worst_slice: The slice of the class with the lowest recall, such as coat=white; empty where none is known.
        worst_recall: The recall of that slice; None where none is known.
    """

    label: str
    training_images: int
    test_images: int
    recall: float | None
    worst_slice: str = ""
    worst_recall: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON can hold them."""
        return asdict(self)


def measure_class_facts(
    training: Mapping[str, int], rows: Sequence[Row], predictions: Predictions
) -> Mapping[str, ClassFacts]:
    """Measure what a model knows of each of its classes.

    Args:
        training: The number of training images of each class.
        rows: The test images.
        predictions: What the model predicts for them, in their order.

    Returns:
        The facts by class.
    """
    labels = np.array([row.label for row in rows], dtype=object)
    correct = np.array(predictions.labels(), dtype=object) == labels
    slices = measure_slices(
        find_slices(labels.tolist(), [row.attributes for row in rows]), np.asarray(correct, np.bool_), _FEWEST
    )
    facts = {}
    for label in predictions.classes:
        of_class = correct[labels == label]
        worst = find_worst_slice(data_slice for data_slice in slices if data_slice.label == label)
        facts[label] = ClassFacts(
            label,
            training.get(label, 0),
            len(of_class),
            float(of_class.mean()) if len(of_class) else None,
            f"{worst.attribute}={worst.value}" if worst else "",
            worst.recall if worst else None,
        )
    return facts
