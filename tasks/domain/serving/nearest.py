"""Why an answer: the training images that are most similar to a picture, found exactly, and how unusual the picture is.

All likeness here is the cosine of features as float64 computes it. Scanning in float32 costs a fraction of that, and
its rounding has a limit: only images within that limit of the best ones are computed again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tasks.domain.evaluation.misclassifications import Neighbour

#: How many training images of the predicted class are shown, and how many of the runner-up's.
SHOWN, SHOWN_OF_RUNNER_UP = 3, 2
#: From this figure on a picture counts as unusual: of pictures like the test images one in twenty does.
UNUSUAL = 0.95
#: The runner-up is close where its probability is at least this share of the predicted class's.
CLOSE = 1 / 3
# How many queries are scanned at once, and how many rows are computed again at once, which bounds memory.
_QUERIES, _ROWS = 128, 1024
# A float32 scan rounds each of its sums by at most half of this, relative to the lengths of the two vectors and
# whatever the order of the additions (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1).
_ROUNDING = float(np.finfo(np.float32).eps)

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingImages:
    """The training images with their features, sorted by label and then by name.

    Attributes:
        images: The names of the images.
        keys: Their keys in the source.
        labels: Their classes.
        features: Their features, of shape (n_images, width), float32.
    """

    images: tuple[str, ...]
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    features: Vectors

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Return the number of training images of each class."""
        return {label: part.stop - part.start for label, part in self._parts.items()}

    @cached_property
    def _parts(self) -> Mapping[str, slice]:
        """Return the rows of each class."""
        classes, starts = np.unique(np.array(self.labels, dtype=object), return_index=True)
        ends = [*starts[1:].tolist(), len(self.labels)]
        return {label: slice(start, end) for label, start, end in zip(classes, starts.tolist(), ends, strict=True)}

    @cached_property
    def _inverse_lengths(self) -> Vectors:
        """Return 1 / length of each row, of shape (n_images, 1); 0 for a row of zeros, whose likeness to all is 0."""
        squares = np.einsum("ij,ij->i", self.features, self.features, dtype=np.float64)
        inverse = np.divide(1, np.sqrt(squares), out=np.zeros(len(squares)), where=squares > 0)
        return np.asarray(inverse[:, None], np.float32)

    @property
    def _margin(self) -> float:
        """Return how far two likenesses may be exchanged by a float32 scan."""
        return (int(self.features.shape[1]) + 8) * _ROUNDING

    def scan(self, queries: Vectors) -> Vectors:
        """Compute how similar all training images are to queries, but for rounding.

        Args:
            queries: Features of shape (n_queries, width).

        Returns:
            Cosines of shape (n_images, n_queries).
        """
        lengths = np.linalg.norm(queries.astype(np.float64), axis=1, keepdims=True)
        directions = np.divide(queries, lengths, out=np.zeros(queries.shape), where=lengths > 0).astype(np.float32)
        return np.asarray((self.features @ directions.T) * self._inverse_lengths, np.float32)

    def find_nearest(self, query: Vectors, likeness: Vectors, label: str, most: int) -> tuple[Neighbour, ...]:
        """Find the images of a class that are most similar to a query; equally similar ones in the order of names.

        Args:
            query: Features of shape (width,).
            likeness: What ``scan`` computed for it, of shape (n_images,).
            label: The class.
            most: How many images are wanted.

        Returns:
            The images, the most similar first, as a search in float64 through all of the class finds them.
        """
        part = self._parts.get(label, slice(0, 0))
        rows = part.start + self._candidates(likeness[part], most)
        exact = compute_likeness(self.features, rows, query)
        # Rows are sorted by name, and the sort is stable.
        best = np.argsort(-exact, kind="stable")[:most]
        return tuple(self._neighbour(row, value) for row, value in zip(rows[best].tolist(), exact[best], strict=True))

    def find_likeness(self, query: Vectors, likeness: Vectors) -> float:
        """Compute how similar the nearest training image of any class is to a query.

        Args:
            query: Features of shape (width,).
            likeness: What ``scan`` computed for it, of shape (n_images,).

        Returns:
            The cosine.
        """
        return float(compute_likeness(self.features, self._candidates(likeness, 1), query).max(initial=-1))

    def _candidates(self, likeness: Vectors, most: int) -> NDArray[np.intp]:
        """Return the places of all values that may be among the largest ones."""
        if len(likeness) <= most:
            return np.arange(len(likeness))
        limit = np.partition(likeness, -most)[-most] - self._margin
        return np.flatnonzero(likeness >= limit)

    def _neighbour(self, row: int, likeness: float) -> Neighbour:
        return Neighbour(self.images[row], self.keys[row], self.labels[row], float(likeness))


def sort_training_images(
    images: Sequence[str], keys: Sequence[str], labels: Sequence[str], features: Vectors
) -> TrainingImages:
    """Sort training images for searching.

    Args:
        images: The names of the images.
        keys: Their keys in the source.
        labels: Their classes.
        features: Their features, of shape (n_images, width).

    Returns:
        The images, sorted by class and name.
    """
    order = sorted(range(len(images)), key=lambda row: (labels[row], images[row]))
    names, places, classes = (tuple(column[row] for row in order) for column in (images, keys, labels))
    return TrainingImages(names, places, classes, np.ascontiguousarray(features[order], np.float32))


def compute_likeness(features: Vectors, rows: NDArray[np.intp], query: Vectors) -> Floats:
    """Compute the cosine of some rows with a query in float64; each row's value depends on nothing but the two vectors.

    Args:
        features: Features of shape (n_images, width).
        rows: The rows, of shape (n_rows,).
        query: Features of shape (width,).

    Returns:
        Cosines of shape (n_rows,); 0 where a vector is all zeros.
    """
    wide = query.astype(np.float64)
    length = np.sqrt(np.square(wide).sum())
    likeness = np.zeros(len(rows))
    for start in range(0, len(rows), _ROWS):
        block = features[rows[start : start + _ROWS]].astype(np.float64)
        lengths = np.sqrt(np.square(block).sum(axis=1)) * length
        np.divide((block * wide).sum(axis=1), lengths, out=likeness[start : start + _ROWS], where=lengths > 0)
    return likeness


@dataclass(frozen=True)
class Rarity:
    """How far test images lie from the nearest training image, by which a live picture is called unusual.

    Attributes:
        likenesses: The likeness of each test image to its nearest training image, sorted, of shape (n_images,).
    """

    likenesses: Floats

    def unusual(self, likeness: float) -> float:
        """Compute how unusual a picture is: 1 less the share of test images that lie as far out or further.

        The picture itself counts among them, so that the figure is 1 less the p value of a conformal prediction (Vovk,
        Gammerman and Shafer, "Algorithmic learning in a random world", 2005): of pictures that are like the test
        images, at most a share a gets a figure of 1 - a or more, whatever the model and the features are. At 0.98 fewer
        than 2% of test pictures lie so far out. With n test images it never exceeds n / (n + 1).

        Args:
            likeness: The likeness of the picture to its nearest training image.

        Returns:
            A figure from 0 (as usual as any) to 1.
        """
        farther = int(np.searchsorted(self.likenesses, likeness, side="right"))
        return 1 - (1 + farther) / (len(self.likenesses) + 1)


def measure_rarity(training: TrainingImages, test_features: Vectors) -> Rarity:
    """Measure how far test images lie from the training images.

    Args:
        training: The training images.
        test_features: The features of the test images, of shape (n_test, width).

    Returns:
        Their likenesses.
    """
    return Rarity(np.sort(np.fromiter(_nearest_likenesses(training, test_features), np.float64)))


def _nearest_likenesses(training: TrainingImages, queries: Vectors) -> Iterator[float]:
    for start in range(0, len(queries), _QUERIES):
        block = queries[start : start + _QUERIES]
        for query, likeness in zip(block, training.scan(block).T, strict=True):
            yield training.find_likeness(query, likeness)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a picture got its answer.

    Attributes:
        predicted: The nearest training images of the predicted class.
        runner_up: Those of the second most probable class; empty where it is not close.
        unusual: How unusual the picture is, from 0 to 1.
    """

    predicted: tuple[Neighbour, ...]
    runner_up: tuple[Neighbour, ...]
    unusual: float


def explain(
    features: Vectors, probabilities: Mapping[str, float], training: TrainingImages, rarity: Rarity
) -> Explanation:
    """Explain an answer by training images.

    Args:
        features: The picture's features, of shape (width,).
        probabilities: The probability of each class.
        training: The training images.
        rarity: How far test images lie from them.

    Returns:
        The nearest training images, and how unusual the picture is.
    """
    ranked = sorted(probabilities, key=lambda label: (-probabilities[label], label))[:2]
    close = len(ranked) > 1 and probabilities[ranked[1]] >= CLOSE * probabilities[ranked[0]]
    likeness = training.scan(features[None])[:, 0]
    return Explanation(
        training.find_nearest(features, likeness, ranked[0], SHOWN),
        training.find_nearest(features, likeness, ranked[1], SHOWN_OF_RUNNER_UP) if close else (),
        rarity.unusual(training.find_likeness(features, likeness)),
    )


def measure_unusual(features: Vectors, training: TrainingImages, rarity: Rarity) -> float:
    """Measure how unusual a picture is, without looking for what explains its answer.

    Args:
        features: The picture's features, of shape (width,).
        training: The training images.
        rarity: How far test images lie from them.

    Returns:
        The figure that ``explain`` gives too.
    """
    return rarity.unusual(training.find_likeness(features, training.scan(features[None])[:, 0]))
