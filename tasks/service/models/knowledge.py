"""Knowledge: what a model was trained on and tested with, by which its answers are explained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Dataset
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.evaluation.misclassifications import Neighbour
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.domain.serving.class_facts import ClassFacts, measure_class_facts
from tasks.domain.serving.live_pictures import LiveImage
from tasks.domain.serving.nearest import (
    Explanation,
    Rarity,
    TrainingImages,
    explain,
    measure_rarity,
    measure_unusual,
    sort_training_images,
)

if TYPE_CHECKING:
    from tasks.modeling.head.head import Head

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Knowledge:
    """What explains the answers of one model.

    Attributes:
        key: Backbone, head and dataset version of the model.
        training: Its training images.
        rarity: How far its test images lie from these.
        classes: What it knows of each class.
        test: Its test images as live pictures are kept, to compare these with.
        groups: The number of each training image's near-duplicate group, in their order.
    """

    key: tuple[str, str, str]
    training: TrainingImages
    rarity: Rarity
    classes: Mapping[str, ClassFacts]
    test: tuple[LiveImage, ...]
    groups: NDArray[np.intp]

    @cached_property
    def images(self) -> frozenset[str]:
        """Return the names of the training images."""
        return frozenset(self.training.images)

    def explain(self, features: Vectors, probabilities: Mapping[str, float]) -> Explanation:
        """Explain an answer.

        Args:
            features: The photograph's features, of shape (width,).
            probabilities: The probability of each class.

        Returns:
            The nearest training images, and how unusual the photograph is.
        """
        return explain(features, probabilities, self.training, self.rarity)

    def unusual(self, features: Vectors) -> float:
        """Return how unusual a photograph with these features is, of shape (width,)."""
        return measure_unusual(features, self.training, self.rarity)

    def describe(self, explanation: Explanation, label: str, address: str) -> Mapping[str, Any]:
        """Describe an explanation as JSON can hold it.

        Args:
            explanation: The explanation.
            label: The predicted class.
            address: Where training photographs are shown, before their names; empty where they are not, and then
                neither their names nor their keys are told.

        Returns:
            The nearest training images with their labels, and what the model knows of the class.
        """
        return {
            "nearest": [_describe_neighbour(neighbour, address) for neighbour in explanation.predicted],
            "runner_up": [_describe_neighbour(neighbour, address) for neighbour in explanation.runner_up],
            "class": self.classes[label].to_dict(),
        }


def _describe_neighbour(neighbour: Neighbour, address: str) -> Mapping[str, Any]:
    plain = {"label": neighbour.label, "likeness": round(neighbour.likeness, 6)}
    return plain | ({"photograph": f"{address}{neighbour.image}"} if address else {})


def build_knowledge(
    key: tuple[str, str, str],
    head: "Head",
    training: tuple[VersionRows, Vectors],
    test: tuple[VersionRows, Vectors],
    infos: Mapping[str, ImageInfo],
) -> Knowledge:
    """Build what explains the answers of a model.

    Args:
        key: Backbone, head and dataset version of the model.
        head: Its head.
        training: The training images, with features of shape (n_training, width).
        test: The test images, with features of shape (n_test, width).
        infos: What was measured of the images, by name.

    Returns:
        The knowledge.
    """
    rows, vectors = training
    learned = list(rows)
    images = sort_training_images(
        [row.image for row in learned], [row.key for row in learned], [row.label for row in learned], vectors
    )
    test_rows, test_vectors = list(test[0]), test[1]
    predictions = Predictions(head.classes, head.probabilities(test_vectors), head.threshold)
    classes = measure_class_facts(images.counts, test_rows, predictions)
    rarity = measure_rarity(images, test_vectors)
    test_images = tuple(
        replace(_as_live(infos[row.image], vector, probabilities, head), label=row.label)
        for row, vector, probabilities in zip(test_rows, test_vectors, predictions.probabilities, strict=True)
        if row.image in infos
    )
    return Knowledge(key, images, rarity, classes, test_images, _number_groups(images.images, infos))


def _number_groups(images: Sequence[str], infos: Mapping[str, ImageInfo]) -> NDArray[np.intp]:
    """Return the number of each image's near-duplicate group; one that was not measured is a group of its own."""
    hashes = {image: infos[image].phash for image in images if image in infos}
    names = group_near_duplicates(hashes, Dataset().near_duplicate_bits)
    groups = np.unique([names.get(image, image) for image in images], return_inverse=True)[1]
    return np.asarray(groups, np.intp)


def _as_live(info: ImageInfo, vector: Vectors, probabilities: Vectors, head: "Head") -> LiveImage:
    """Return a test image as a live picture is kept; among themselves test images are not unusual."""
    return LiveImage(
        phash=info.phash,
        features=vector,
        probabilities=probabilities.astype(np.float64),
        sure=head.is_confident(float(probabilities.max())),
        unusual=np.nan,
        brightness=info.properties.brightness,
        tone=info.properties.tone,
    )
