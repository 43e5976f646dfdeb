"""Mistakes that people can look at: the surest ones, those that are new, and those that are gone since the champion."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.predictions import Predictions

#: So many mistakes of each kind are kept.
MOST = 12
#: So many training images of the true class, and of the one that was taken for it, are kept with a mistake.
NEAREST = 2


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training image, and how alike the features are: the cosine, 1 where they point the same way."""

    image: str
    key: str
    label: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Misclassification:
    """A test image, its class, what a model took it for and how sure it was; the nearest images of both classes."""

    image: str
    key: str
    truth: str
    guess: str
    confidence: float
    like_truth: tuple[Neighbour, ...] = ()
    like_guess: tuple[Neighbour, ...] = ()


@dataclass(frozen=True, slots=True)
class Misclassifications:
    """How many mistakes there are, the surest of them, and what came and went since the champion.

    A mistake that is fixed shows what the champion took the image for. Of images whose class only one of the models
    knows nothing is fixed or new.
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
    """A picture's features, shape (width,), for which the nearest images of one class are sought."""

    features: NDArray[np.float32]
    label: str


def find_misclassifications(
    rows: Sequence[Row], challenger: Predictions, champion: Predictions | None
) -> Misclassifications:
    """Find the mistakes among the test images; predictions are in the order of the rows."""
    challenger_mistakes = _wrong(rows, challenger)
    summary = Misclassifications(len(rows), len(challenger_mistakes), _surest(challenger_mistakes.values()))
    if champion is None:
        return summary
    shared = {*challenger.classes} & {*champion.classes}
    champion_mistakes = _wrong(rows, champion)
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
    return replace(summary, fixed_total=len(fixed), fixed=_surest(fixed), new_total=len(new), new=_surest(new))


def find_nearest(
    queries: Sequence[Query], blocks: Iterable[tuple[Sequence[Row], NDArray[np.float32]]], most: int = NEAREST
) -> list[tuple[Neighbour, ...]]:
    """Find for each query the images of its class that are most alike, the nearest first.

    Blocks hold some rows and their features, shape (rows, width); one is in memory at a time.
    """
    neighbours: list[list[Neighbour]] = [[] for _ in queries]
    query_features = _unit(np.stack([query.features for query in queries])) if queries else np.empty((0, 0), np.float32)
    for rows, features in blocks if queries else ():
        likeness = query_features @ _unit(features).T
        labels = np.array([row.label for row in rows])
        for number, query in enumerate(queries):
            same_class = np.flatnonzero(labels == query.label)
            best = same_class[np.argsort(-likeness[number, same_class], kind="stable")[:most]]
            near = [_neighbour(rows[i], likeness[number, i]) for i in best.tolist()]
            neighbours[number] = sorted(
                [*neighbours[number], *near], key=lambda neighbour: (-neighbour.likeness, neighbour.key)
            )[:most]
    return [tuple(nearest) for nearest in neighbours]


def _wrong(rows: Sequence[Row], predictions: Predictions) -> dict[str, Misclassification]:
    answers = zip(rows, predictions.labels(), predictions.probabilities.max(axis=1).tolist(), strict=True)
    return {
        row.image: Misclassification(row.image, row.key, row.label, guess, sure)
        for row, guess, sure in answers
        if guess != row.label
    }


def _surest(mistakes: Iterable[Misclassification]) -> tuple[Misclassification, ...]:
    return tuple(sorted(mistakes, key=lambda mistake: (-mistake.confidence, mistake.key))[:MOST])


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give each row the length 1; a row of noughts stays what it is."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1), np.float32)


def _neighbour(row: Row, likeness: float) -> Neighbour:
    return Neighbour(row.image, row.key, row.label, float(likeness))


Kind = Literal["now right", "now wrong", "wrong in another way"]


@dataclass(frozen=True, slots=True)
class PredictionFlip:
    """One image, its class by the later version, and both models' answers with how sure each was."""

    image: str
    key: str
    truth: str
    before: str
    after: str
    sure_before: float
    sure_after: float

    @property
    def kind(self) -> Kind:
        """Say whether the later model mended it, broke it, or is as wrong as the former."""
        if self.after == self.truth:
            return "now right"
        return "now wrong" if self.before == self.truth else "wrong in another way"


@dataclass(frozen=True, slots=True)
class PredictionFlips:
    """How many test images both models were asked, and those that flipped, sorted by image."""

    images: int
    flips: tuple[PredictionFlip, ...]

    def select(self, kind: Kind) -> tuple[PredictionFlip, ...]:
        """Take those of one kind, the surest answers of the later model first."""
        flips = [flip for flip in self.flips if flip.kind == kind]
        return tuple(sorted(flips, key=lambda flip: (-flip.sure_after, flip.key)))

    def to_dict(self) -> dict[str, Any]:
        """Turn them into what JSON can hold."""
        return {"images": self.images, "flips": [{"kind": flip.kind, **asdict(flip)} for flip in self.flips]}


def find_prediction_flips(rows: Sequence[Row], before: Predictions, after: Predictions) -> PredictionFlips:
    """Name the images to which two models give different answers; predictions are in the order of the rows."""
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
