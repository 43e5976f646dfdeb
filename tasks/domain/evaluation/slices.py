"""Slices: the images that share an attribute, over all classes and within each, and how well each is recognised."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.domain.significance import wilson_interval

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# A slice of such a share of a class, or of all images, is called by their name.
_WHOLE = 0.95


@dataclass(frozen=True, slots=True, order=True)
class SliceKey:
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
class SliceMembership:
    """Which images belong to which slice: a matrix of ones, (images, slices).

    ``is_whole_class`` tells of each whether it is nothing but one class, or all images, as good as wholly.
    """

    keys: tuple[SliceKey, ...]
    matrix: "csr_array"
    is_whole_class: tuple[bool, ...]


def find_slices(labels: Sequence[str], attributes: Sequence[Iterable[tuple[str, str]]]) -> SliceMembership:
    """Find the slices of images by their labels and attributes, in the order of their names."""
    from scipy.sparse import csr_array

    rows_by_part: defaultdict[SliceKey, list[int]] = defaultdict(list)
    for row, (label, pairs) in enumerate(zip(labels, attributes, strict=True)):
        for attribute, value in dict(pairs).items():
            rows_by_part[SliceKey(attribute, "", value)].append(row)
            rows_by_part[SliceKey(attribute, label, value)].append(row)
    parts = tuple(sorted(rows_by_part))
    rows = np.array([row for part in parts for row in rows_by_part[part]], np.int64)
    columns = np.repeat(np.arange(len(parts)), [len(rows_by_part[part]) for part in parts])
    matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(labels), len(parts)))
    sizes = Counter(labels)
    return SliceMembership(parts, matrix, tuple(_is_whole(rows_by_part[part], labels, sizes) for part in parts))


def _is_whole(rows: Sequence[int], labels: Sequence[str], sizes: Mapping[str, int]) -> bool:
    classes = {labels[row] for row in rows}
    size = sizes[classes.pop()] if len(classes) == 1 else len(labels)
    return len(rows) >= _WHOLE * size


def measure_slices(membership: SliceMembership, right: NDArray[np.bool_], minimum: int) -> tuple[Slice, ...]:
    """Measure the recall of each slice; fewer images than the minimum make it unknown."""
    images = np.asarray(membership.matrix.sum(axis=0), np.int64).ravel()
    hits = (membership.matrix.T @ right.astype(np.float64)).astype(np.int64)
    low, high = wilson_interval(hits, images)
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
            whole=membership.is_whole_class[i],
        )
        for i, part in enumerate(membership.keys)
    )


def exclude_whole_slices(slices: Iterable[Slice]) -> list[Slice]:
    """Leave out the slices that are a whole class, or all images: they are told under that name."""
    return [data_slice for data_slice in slices if not data_slice.whole]


def find_worst_slice(slices: Iterable[Slice]) -> Slice | None:
    """Name the known slice that is recognised worst; of equals the larger."""
    return min(
        (data_slice for data_slice in exclude_whole_slices(slices) if data_slice.known),
        key=lambda data_slice: (data_slice.recall, -data_slice.images),
        default=None,
    )


def measure_gaps(slices: Sequence[Slice]) -> tuple[Gap, ...]:
    """Hold the best known value of each attribute against the worst."""
    return tuple(
        _measure_gap(
            name,
            [
                data_slice
                for data_slice in slices
                if data_slice.attribute == name and not data_slice.label and data_slice.known
            ],
        )
        for name in sorted({data_slice.attribute for data_slice in slices})
    )


def collect_slice_metrics(slices: Iterable[Slice]) -> Mapping[str, float]:
    """List images, and the recall where it is known, under the names that MLflow shows."""
    metrics = {}
    for data_slice in exclude_whole_slices(slices):
        path = SliceKey(data_slice.attribute, data_slice.label, data_slice.value).path
        metrics[f"slice/{path}/support"] = float(data_slice.images)
        if data_slice.known:
            metrics[f"slice/{path}/recall"] = data_slice.recall
    return metrics


def _measure_gap(attribute: str, slices: list[Slice]) -> Gap:
    if len(slices) < 2:  # noqa: PLR2004
        return Gap(attribute, "", "", None)
    ordered = sorted(slices, key=lambda data_slice: data_slice.recall)
    return Gap(attribute, ordered[-1].value, ordered[0].value, ordered[-1].recall - ordered[0].recall)
