"""Slices: the images that share an attribute, over all classes and within each, and how well each is recognised."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.domain.significance import wilson

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# A slice of such a share of a class, or of all images, is called by their name.
_WHOLE = 0.95


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """What a slice is: an attribute's value, within one class or, with no label, within all."""

    attribute: str
    label: str
    value: str

    def __str__(self) -> str:
        """Name it as rules do: ``coat=white`` and ``poodle with coat=white``."""
        return f"{self.label} with {self.attribute}={self.value}" if self.label else f"{self.attribute}={self.value}"

    @property
    def path(self) -> str:
        """Name it as MLflow does, which takes no equals sign: ``poodle/coat:white``."""
        return f"{self.label}/{self.attribute}:{self.value}" if self.label else f"{self.attribute}:{self.value}"


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice's recall with its interval; with too few images it is not known, which does not mean that all is well.

    ``whole`` is one that holds all images of its class, or all images, but for one in twenty: it tells no more than
    these do.
    """

    name: str
    label: str
    attribute: str
    value: str
    images: int
    recall: float
    low: float
    high: float
    known: bool
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """The values of one attribute that are recognised best and worst, among those that are known; over all classes.

    Without two known values there is no gap to speak of.
    """

    attribute: str
    best: str
    worst: str
    gap: float | None


@dataclass(frozen=True, slots=True)
class Members:
    """Which images belong to which slice: a matrix of ones, (images, slices).

    ``whole`` tells of each whether it is nothing but one class, or all images, as good as wholly.
    """

    parts: tuple[Part, ...]
    matrix: "csr_array"
    whole: tuple[bool, ...]


def members(labels: Sequence[str], attributes: Sequence[Iterable[tuple[str, str]]]) -> Members:
    """Find the slices of images by their labels and attributes, in the order of their names."""
    from scipy.sparse import csr_array

    found: defaultdict[Part, list[int]] = defaultdict(list)
    for row, (label, pairs) in enumerate(zip(labels, attributes, strict=True)):
        for attribute, value in dict(pairs).items():
            found[Part(attribute, "", value)].append(row)
            found[Part(attribute, label, value)].append(row)
    parts = tuple(sorted(found))
    rows = np.array([row for part in parts for row in found[part]], np.int64)
    columns = np.repeat(np.arange(len(parts)), [len(found[part]) for part in parts])
    matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(labels), len(parts)))
    sizes = Counter(labels)
    return Members(parts, matrix, tuple(_whole(found[part], labels, sizes) for part in parts))


def _whole(rows: Sequence[int], labels: Sequence[str], sizes: Mapping[str, int]) -> bool:
    own = {labels[row] for row in rows}
    size = sizes[own.pop()] if len(own) == 1 else len(labels)
    return len(rows) >= _WHOLE * size


def slices(found: Members, right: NDArray[np.bool_], minimum: int) -> tuple[Slice, ...]:
    """Measure the recall of each slice; fewer images than the minimum make it unknown."""
    images = np.asarray(found.matrix.sum(axis=0), np.int64).ravel()
    hits = (found.matrix.T @ right.astype(np.float64)).astype(np.int64)
    low, high = wilson(hits, images)
    return tuple(
        Slice(
            name=str(part),
            label=part.label,
            attribute=part.attribute,
            value=part.value,
            images=int(images[i]),
            recall=float(hits[i] / images[i]),
            low=float(low[i]),
            high=float(high[i]),
            known=bool(images[i] >= minimum),
            whole=found.whole[i],
        )
        for i, part in enumerate(found.parts)
    )


def telling(found: Iterable[Slice]) -> list[Slice]:
    """Leave out the slices that are a whole class, or all images: they are told under that name."""
    return [one for one in found if not one.whole]


def worst(found: Iterable[Slice]) -> Slice | None:
    """Name the known slice that is recognised worst; of equals the larger."""
    return min((one for one in telling(found) if one.known), key=lambda one: (one.recall, -one.images), default=None)


def gaps(found: Sequence[Slice]) -> tuple[Gap, ...]:
    """Hold the best known value of each attribute against the worst."""
    return tuple(
        _gap(name, [one for one in found if one.attribute == name and not one.label and one.known])
        for name in sorted({one.attribute for one in found})
    )


def slice_metrics(found: Iterable[Slice]) -> Mapping[str, float]:
    """List images, and the recall where it is known, under the names that MLflow shows."""
    metrics = {}
    for one in telling(found):
        path = Part(one.attribute, one.label, one.value).path
        metrics[f"slice/{path}/support"] = float(one.images)
        if one.known:
            metrics[f"slice/{path}/recall"] = one.recall
    return metrics


def _gap(attribute: str, known: list[Slice]) -> Gap:
    if len(known) < 2:  # noqa: PLR2004
        return Gap(attribute, "", "", None)
    ordered = sorted(known, key=lambda one: one.recall)
    return Gap(attribute, ordered[-1].value, ordered[0].value, ordered[-1].recall - ordered[0].recall)
