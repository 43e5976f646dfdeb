"""Misclassified test images to look at, and the predictions that flipped between two models."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.predictions import Predictions

#: How many mistakes of each kind are kept.
MOST = 12
#: How many training images of the true class, and of the predicted one, are kept with a mistake.
NEAREST = 2
Kind = Literal["now right", "now wrong", "wrong in another way"]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training image that is similar to another one.

    Attributes:
        image: The name of the image.
        key: Its key in the source.
        label: Its class.
        likeness: The cosine similarity of the features; 1 is the same direction.
    """

    image: str
    key: str
    label: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Misclassification:
    """A test image that a model predicts wrongly.

    Attributes:
        image: The name of the image.
        key: Its key in the source.
        truth: Its class.
        guess: The predicted class.
        confidence: The probability of that prediction.
        like_truth: The nearest training images of the true class.
        like_guess: The nearest training images of the predicted class.
    """

    image: str
    key: str
    truth: str
    guess: str
    confidence: float
    like_truth: tuple[Neighbour, ...] = ()
    like_guess: tuple[Neighbour, ...] = ()


@dataclass(frozen=True, slots=True)
class Misclassifications:
    """The mistakes on a test split, and which came and went since the champion.

    Only images of classes that both models know can be fixed or new. A fixed mistake shows the champion's prediction.

    Attributes:
        images: The number of test images.
        total: The number of the challenger's mistakes.
        worst: The most confident of them.
        fixed_total: The number of the champion's mistakes that the challenger does not make.
        fixed: The most confident of these.
        new_total: The number of the challenger's mistakes that the champion does not make.
        new: The most confident of these.
    """

    images: int
    total: int
    worst: tuple[Misclassification, ...]
    fixed_total: int = 0
    fixed: tuple[Misclassification, ...] = ()
    new_total: int = 0
    new: tuple[Misclassification, ...] = ()


NO_MISCLASSIFICATIONS = Misclassifications(0, 0, ())


@dataclass(frozen=True, slots=True)
class Query:
    """An image whose nearest training images are sought.

    Attributes:
        features: Its features, of shape (width,).
        label: The class of the training images.
    """

    features: NDArray[np.float32]
    label: str


def find_misclassifications(
    rows: Sequence[Row], challenger: Predictions, champion: Predictions | None
) -> Misclassifications:
    """Find the mistakes among the test images.

    Args:
        rows: The test images.
        challenger: The challenger's predictions, in the order of the rows.
        champion: The champion's predictions, in the same order; None without a champion.

    Returns:
        The mistakes, without their nearest training images.
    """
    challenger_mistakes = _find_mistakes(rows, challenger)
    summary = Misclassifications(
        len(rows), len(challenger_mistakes), _select_most_confident(challenger_mistakes.values())
    )
    if champion is None:
        return summary
    shared = {*challenger.classes} & {*champion.classes}
    champion_mistakes = _find_mistakes(rows, champion)
    fixed = [
        mistake
        for image, mistake in champion_mistakes.items()
        if image not in challenger_mistakes and mistake.truth in shared
    ]
    new = [
        mistake
        for image, mistake in challenger_mistakes.items()
        if image not in champion_mistakes and mistake.truth in shared
    ]
    return replace(
        summary,
        fixed_total=len(fixed),
        fixed=_select_most_confident(fixed),
        new_total=len(new),
        new=_select_most_confident(new),
    )


def find_nearest(
    queries: Sequence[Query], blocks: Iterable[tuple[Sequence[Row], NDArray[np.float32]]], most: int = NEAREST
) -> list[tuple[Neighbour, ...]]:
    """Find the images of a class that are most similar to each query, by the cosine of their features.

    Args:
        queries: The images whose neighbours are sought.
        blocks: Training images with their features of shape (n_rows, width), block by block: one is in memory at a
            time.
        most: The number of neighbours for each query.

    Returns:
        The neighbours of each query, the nearest first.
    """
    neighbours: list[list[Neighbour]] = [[] for _ in queries]
    query_features = (
        _normalize(np.stack([query.features for query in queries])) if queries else np.empty((0, 0), np.float32)
    )
    for rows, features in blocks if queries else ():
        likeness = query_features @ _normalize(features).T
        labels = np.array([row.label for row in rows])
        for number, query in enumerate(queries):
            same_class = np.flatnonzero(labels == query.label)
            best = same_class[np.argsort(-likeness[number, same_class], kind="stable")[:most]]
            near = [_build_neighbour(rows[i], likeness[number, i]) for i in best.tolist()]
            neighbours[number] = sorted(
                [*neighbours[number], *near], key=lambda neighbour: (-neighbour.likeness, neighbour.key)
            )[:most]
    return [tuple(nearest) for nearest in neighbours]


def _find_mistakes(rows: Sequence[Row], predictions: Predictions) -> dict[str, Misclassification]:
    answers = zip(rows, predictions.labels(), predictions.probabilities.max(axis=1).tolist(), strict=True)
    return {
        row.image: Misclassification(row.image, row.key, row.label, guess, sure)
        for row, guess, sure in answers
        if guess != row.label
    }


def _select_most_confident(mistakes: Iterable[Misclassification]) -> tuple[Misclassification, ...]:
    return tuple(sorted(mistakes, key=lambda mistake: (-mistake.confidence, mistake.key))[:MOST])


def _normalize(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1), np.float32)


def _build_neighbour(row: Row, likeness: float) -> Neighbour:
    return Neighbour(row.image, row.key, row.label, float(likeness))


@dataclass(frozen=True, slots=True)
class PredictionFlip:
    """One image for which two models predict different classes.

    Attributes:
        image: The name of the image.
        key: Its key in the source.
        truth: Its class in the later version.
        before: The earlier model's prediction.
        after: The later model's prediction.
        sure_before: The probability of the earlier prediction.
        sure_after: The probability of the later prediction.
    """

    image: str
    key: str
    truth: str
    before: str
    after: str
    sure_before: float
    sure_after: float

    @property
    def kind(self) -> Kind:
        """Return whether the later model is now right, now wrong, or wrong in another way."""
        if self.after == self.truth:
            return "now right"
        return "now wrong" if self.before == self.truth else "wrong in another way"


@dataclass(frozen=True, slots=True)
class PredictionFlips:
    """The number of test images that both models predicted, and the flips among them, sorted by image."""

    images: int
    flips: tuple[PredictionFlip, ...]

    def select(self, kind: Kind) -> tuple[PredictionFlip, ...]:
        """Return the flips of one kind, the later model's most confident ones first."""
        flips = [flip for flip in self.flips if flip.kind == kind]
        return tuple(sorted(flips, key=lambda flip: (-flip.sure_after, flip.key)))

    def to_dict(self) -> dict[str, Any]:
        """Return the flips as values that JSON can hold."""
        return {"images": self.images, "flips": [{"kind": flip.kind, **asdict(flip)} for flip in self.flips]}


def find_prediction_flips(rows: Sequence[Row], before: Predictions, after: Predictions) -> PredictionFlips:
    """Find the images for which two models predict different classes.

    Args:
        rows: The images.
        before: The earlier model's predictions, in the order of the rows.
        after: The later model's predictions, in the same order.

    Returns:
        The number of images, and the flips.
    """
    answers = zip(
        rows,
        before.labels(),
        after.labels(),
        before.probabilities.max(axis=1).tolist(),
        after.probabilities.max(axis=1).tolist(),
        strict=True,
    )
    flips = [
        PredictionFlip(row.image, row.key, row.label, old, new, sure_old, sure_new)
        for row, old, new, sure_old, sure_new in answers
        if old != new
    ]
    return PredictionFlips(len(rows), tuple(sorted(flips, key=lambda flip: flip.image)))
