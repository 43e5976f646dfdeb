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
class Mistake:
    """A test image, its class, what a model took it for and how sure it was; the nearest images of both classes."""

    image: str
    key: str
    truth: str
    guess: str
    confidence: float
    like_truth: tuple[Neighbour, ...] = ()
    like_guess: tuple[Neighbour, ...] = ()


@dataclass(frozen=True, slots=True)
class Mistakes:
    """How many mistakes there are, the surest of them, and what came and went since the champion.

    A mistake that is fixed shows what the champion took the image for. Of images whose class only one of the models
    knows nothing is fixed or new.
    """

    images: int
    total: int
    worst: tuple[Mistake, ...]
    fixed_total: int = 0
    fixed: tuple[Mistake, ...] = ()
    new_total: int = 0
    new: tuple[Mistake, ...] = ()


NOTHING = Mistakes(0, 0, ())


@dataclass(frozen=True, slots=True)
class Query:
    """A picture's features, shape (width,), for which the nearest images of one class are sought."""

    features: NDArray[np.float32]
    label: str


def mistakes(rows: Sequence[Row], challenger: Predictions, champion: Predictions | None) -> Mistakes:
    """Find the mistakes among the test images; predictions are in the order of the rows."""
    ours = _wrong(rows, challenger)
    found = Mistakes(len(rows), len(ours), _surest(ours.values()))
    if champion is None:
        return found
    shared = {*challenger.classes} & {*champion.classes}
    theirs = _wrong(rows, champion)
    fixed = [one for image, one in theirs.items() if image not in ours and one.truth in shared]
    new = [one for image, one in ours.items() if image not in theirs and one.truth in shared]
    return replace(found, fixed_total=len(fixed), fixed=_surest(fixed), new_total=len(new), new=_surest(new))


def nearest(
    queries: Sequence[Query], blocks: Iterable[tuple[Sequence[Row], NDArray[np.float32]]], most: int = NEAREST
) -> list[tuple[Neighbour, ...]]:
    """Find for each query the images of its class that are most alike, the nearest first.

    Blocks hold some rows and their features, shape (rows, width); one is in memory at a time.
    """
    found: list[list[Neighbour]] = [[] for _ in queries]
    asked = _unit(np.stack([one.features for one in queries])) if queries else np.empty((0, 0), np.float32)
    for rows, features in blocks if queries else ():
        likeness = asked @ _unit(features).T
        labels = np.array([row.label for row in rows])
        for number, query in enumerate(queries):
            own = np.flatnonzero(labels == query.label)
            best = own[np.argsort(-likeness[number, own], kind="stable")[:most]]
            near = [_neighbour(rows[i], likeness[number, i]) for i in best.tolist()]
            found[number] = sorted([*found[number], *near], key=lambda one: (-one.likeness, one.key))[:most]
    return [tuple(one) for one in found]


def _wrong(rows: Sequence[Row], found: Predictions) -> dict[str, Mistake]:
    answers = zip(rows, found.labels(), found.probabilities.max(axis=1).tolist(), strict=True)
    return {
        row.image: Mistake(row.image, row.key, row.label, guess, sure)
        for row, guess, sure in answers
        if guess != row.label
    }


def _surest(found: Iterable[Mistake]) -> tuple[Mistake, ...]:
    return tuple(sorted(found, key=lambda one: (-one.confidence, one.key))[:MOST])


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give each row the length 1; a row of noughts stays what it is."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1), np.float32)


def _neighbour(row: Row, likeness: float) -> Neighbour:
    return Neighbour(row.image, row.key, row.label, float(likeness))


Kind = Literal["now right", "now wrong", "wrong in another way"]


@dataclass(frozen=True, slots=True)
class Flip:
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
class Flips:
    """How many test images both models were asked, and those that flipped, sorted by image."""

    images: int
    flips: tuple[Flip, ...]

    def of(self, kind: Kind) -> tuple[Flip, ...]:
        """Take those of one kind, the surest answers of the later model first."""
        found = [one for one in self.flips if one.kind == kind]
        return tuple(sorted(found, key=lambda one: (-one.sure_after, one.key)))

    def plain(self) -> dict[str, Any]:
        """Turn them into what JSON can hold."""
        return {"images": self.images, "flips": [{"kind": one.kind, **asdict(one)} for one in self.flips]}


def flips(rows: Sequence[Row], before: Predictions, after: Predictions) -> Flips:
    """Name the images to which two models give different answers; predictions are in the order of the rows."""
    answers = zip(
        rows,
        before.labels(),
        after.labels(),
        before.probabilities.max(axis=1).tolist(),
        after.probabilities.max(axis=1).tolist(),
        strict=True,
    )
    found = [
        Flip(row.image, row.key, row.label, old, new, sure_old, sure_new)
        for row, old, new, sure_old, sure_new in answers
        if old != new
    ]
    return Flips(len(rows), tuple(sorted(found, key=lambda one: one.image)))
