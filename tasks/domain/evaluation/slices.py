"""Slices: the images that share an attribute, in all classes or in one, and how well each slice is recognised."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.domain.significance import wilson_interval

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# A slice with at least this share of a class, or of all images, says no more than these do.
_WHOLE = 0.95


@dataclass(frozen=True, slots=True, order=True)
class SliceKey:
    """What a slice is: the value of an attribute within one class or, with an empty label, within all classes."""

    attribute: str
    label: str
    value: str

    def __str__(self) -> str:
        """Return the name that rules use, such as ``coat=white`` and ``poodle with coat=white``."""
        return f"{self.label} with {self.attribute}={self.value}" if self.label else f"{self.attribute}={self.value}"

    @property
    def path(self) -> str:
        """Return the name that MLflow shows, which accepts no equals sign, such as ``poodle/coat:white``."""
        return f"{self.label}/{self.attribute}:{self.value}" if self.label else f"{self.attribute}:{self.value}"


@dataclass(frozen=True, slots=True)
class Slice:
    """The recall of a slice with its 95% interval.

    Attributes:
        name: The name that rules use.
        label: The class; empty for a slice of all classes.
        attribute: The name of the attribute.
        value: Its value.
        images: The number of images.
        recall: The share of these that is predicted correctly.
        low: The lower end of the interval.
        high: Its upper end.
        known: Whether there are enough images; where there are not, nothing is known, which does not mean that all is
            well.
        whole: Whether the slice holds at least 95% of its class, or of all images, and so says no more than these do.
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
    """The values of one attribute with the best and the worst recall, over all classes and among the known slices.

    Attributes:
        attribute: The name of the attribute.
        best: The value with the highest recall.
        worst: The value with the lowest recall.
        gap: The difference of both recalls; None with fewer than two known values.
    """

    attribute: str
    best: str
    worst: str
    gap: float | None


@dataclass(frozen=True, slots=True)
class SliceMembership:
    """Which images belong to which slice.

    Attributes:
        keys: The slices.
        matrix: CSR matrix of ones, of shape (n_images, n_slices).
        is_whole_class: For each slice whether it holds at least 95% of one class, or of all images.
    """

    keys: tuple[SliceKey, ...]
    matrix: "csr_array"
    is_whole_class: tuple[bool, ...]


def find_slices(labels: Sequence[str], attributes: Sequence[Iterable[tuple[str, str]]]) -> SliceMembership:
    """Find the slices of images.

    Args:
        labels: The class of each image.
        attributes: The attributes of each image, as pairs of name and value.

    Returns:
        The slices, sorted by attribute, class and value, with their images.
    """
    from scipy.sparse import csr_array

    rows_by_key: defaultdict[SliceKey, list[int]] = defaultdict(list)
    for row, (label, pairs) in enumerate(zip(labels, attributes, strict=True)):
        for attribute, value in dict(pairs).items():
            rows_by_key[SliceKey(attribute, "", value)].append(row)
            rows_by_key[SliceKey(attribute, label, value)].append(row)
    keys = tuple(sorted(rows_by_key))
    rows = np.array([row for key in keys for row in rows_by_key[key]], np.int64)
    columns = np.repeat(np.arange(len(keys)), [len(rows_by_key[key]) for key in keys])
    matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(labels), len(keys)))
    sizes = Counter(labels)
    return SliceMembership(keys, matrix, tuple(_is_whole(rows_by_key[key], labels, sizes) for key in keys))


def _is_whole(rows: Sequence[int], labels: Sequence[str], sizes: Mapping[str, int]) -> bool:
    classes = {labels[row] for row in rows}
    size = sizes[classes.pop()] if len(classes) == 1 else len(labels)
    return len(rows) >= _WHOLE * size


def measure_slices(membership: SliceMembership, correct: NDArray[np.bool_], minimum: int) -> tuple[Slice, ...]:
    """Measure the recall of each slice.

    Args:
        membership: Which images belong to which slice.
        correct: Whether each image is predicted correctly, of shape (n_images,).
        minimum: A slice with fewer images counts as unknown.

    Returns:
        The slices in the order of the membership.
    """
    images = np.asarray(membership.matrix.sum(axis=0), np.int64).ravel()
    hits = (membership.matrix.T @ correct.astype(np.float64)).astype(np.int64)
    low, high = wilson_interval(hits, images)
    return tuple(
        Slice(
            name=str(key),
            label=key.label,
            attribute=key.attribute,
            value=key.value,
            images=int(images[i]),
            recall=float(hits[i] / images[i]),
            low=float(low[i]),
            high=float(high[i]),
            known=bool(images[i] >= minimum),
            whole=membership.is_whole_class[i],
        )
        for i, key in enumerate(membership.keys)
    )


def exclude_whole_slices(slices: Iterable[Slice]) -> list[Slice]:
    """Return the slices without those that are a whole class or all images, whose recall stands under that name."""
    return [data_slice for data_slice in slices if not data_slice.whole]


def find_worst_slice(slices: Iterable[Slice]) -> Slice | None:
    """Return the known slice with the lowest recall, of equals the largest; None where no slice is known."""
    return min(
        (data_slice for data_slice in exclude_whole_slices(slices) if data_slice.known),
        key=lambda data_slice: (data_slice.recall, -data_slice.images),
        default=None,
    )


def measure_gaps(slices: Sequence[Slice]) -> tuple[Gap, ...]:
    """Return the gap between the best and the worst known value of each attribute."""
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
    """Return the images of each slice, and the recall where it is known, under the names that MLflow shows."""
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
