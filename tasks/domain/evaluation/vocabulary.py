"""The labels of two versions' images in columns, and the classes that moved as a whole, under common names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.domain.columns import Codes

# A class moved as a whole where at least this share of its photographs moved to the same class.
_WHOLE = 0.9
# A class that was split keeps its name where it kept at least this share of its photographs.
_KEPT = 0.5


@dataclass(frozen=True, eq=False)
class ImageLabels:
    """The label of each image.

    Attributes:
        images: The images, texts, each of them once.
        codes: The number of each image's label, int32 of shape (n_images,).
        labels: The labels by number; several numbers may stand for one label, and some for that of no image.
    """

    images: pa.Array
    codes: Codes
    labels: tuple[str, ...]

    @classmethod
    def of(cls, labels: "Mapping[str, str] | ImageLabels") -> "ImageLabels":
        """Return labels in columns, where they may be already."""
        if isinstance(labels, ImageLabels):
            return labels
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(label, len(numbers)) for label in labels.values()]
        return cls(pa.array(list(labels), pa.string()), np.array(codes, np.int32), tuple(numbers))

    def with_more(self, other: "ImageLabels") -> Self:
        """Return these labels, and those that another set gives to images which have none here."""
        news = np.asarray(pc.invert(pc.is_in(other.images, self.images)))
        return type(self)(
            pa.concat_arrays([self.images, other.images.filter(pa.array(news))]),
            np.concatenate([self.codes, other.codes[news] + np.int32(len(self.labels))]),
            (*self.labels, *other.labels),
        )

    def find(self, images: pa.Array) -> NDArray[np.int64]:
        """Return the row of each of these images.

        Args:
            images: The images, texts.

        Returns:
            Row numbers, int64 of shape (n_images,); -1 for an image without a label.
        """
        return np.asarray(pc.fill_null(pc.index_in(images, self.images), -1).to_numpy(zero_copy_only=False), np.int64)

    def count(self) -> Counter[str]:
        """Count the images of each label."""
        return count_codes(self.codes, self.labels)


def count_codes(codes: Codes, labels: tuple[str, ...]) -> Counter[str]:
    """Count labels.

    Args:
        codes: Numbers of labels, int32 of shape (n_images,).
        labels: The labels by number.

    Returns:
        How many images each label has that any of them has.
    """
    counts = Counter[str]()
    for label, number in zip(labels, np.bincount(codes, minlength=len(labels)).tolist(), strict=True):
        if number:
            counts[label] += number
    return counts


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The classes of two versions under common names.

    Attributes:
        former: Each class that is gone, and the class that its photographs are in today.
        finer: Each class that was split off, and the class that its photographs came from, under its name of today.
        merged: The classes of ``former`` that were merged with other photographs; the others were only renamed.
    """

    former: Mapping[str, str] = field(default_factory=dict)
    finer: Mapping[str, str] = field(default_factory=dict)
    merged: tuple[str, ...] = ()

    def translate_former(self, label: str) -> str:
        """Return the common name of a class of the former version."""
        return self.former.get(label, label)

    def translate_current(self, label: str) -> str:
        """Return the common name of a class of today's version."""
        return self.finer.get(label, label)

    def sentences(self) -> tuple[str, ...]:
        """Describe which classes were renamed, merged and split."""
        gone = (
            f"{before} was merged into {after}" if before in self.merged else f"{before} was renamed {after}"
            for before, after in sorted(self.former.items())
        )
        return (*gone, *(f"{after} was split from {before}" for after, before in sorted(self.finer.items())))


def match_classes(before: Mapping[str, str] | ImageLabels, after: Mapping[str, str] | ImageLabels) -> Vocabulary:
    """Find the classes that moved as a whole between two versions.

    Args:
        before: The label of each image of the former version, also of images that are gone.
        after: The label of each image of today's version.

    Returns:
        The common vocabulary. A class that is gone counts as renamed or merged where nine tenths of its photographs are
        in one other class. A new class counts as split off where nine tenths of the photographs that it has from before
        came from one class, which is gone too or kept at least half of its photographs.
    """
    former, today = ImageLabels.of(before), ImageLabels.of(after)
    places = former.find(today.images)
    flows = _count_flows(former.codes[places[places >= 0]], former.labels, today.codes[places >= 0], today.labels)
    return _match_classes(former.count(), flows, set(today.count()))


def _match_classes(sizes: Counter[str], flows: Counter[tuple[str, str]], new: set[str]) -> Vocabulary:
    old = set(sizes)
    former = {
        label: goal
        for label in old - new
        if (goal := _find_goal(label, flows)) and _moved_together(label, goal, sizes, flows)
    }
    finer = {label: source for label in new - old - {*former.values()} if (source := _find_source(label, flows))}
    split_off = {
        label: former.get(source, source)
        for label, source in finer.items()
        if source not in new or flows[source, source] >= _KEPT * sizes[source]
    }
    shared = Counter(former.values())
    merged = tuple(sorted(label for label, goal in former.items() if goal in old or shared[goal] > 1))
    return Vocabulary(former, split_off, merged)


def _count_flows(before: Codes, former: Sequence[str], after: Codes, today: Sequence[str]) -> Counter[tuple[str, str]]:
    """Count the images of each pair of a former label and a label of today."""
    pairs, counts = np.unique(before.astype(np.int64) * len(today) + after, return_counts=True)
    flows = Counter[tuple[str, str]]()
    for pair, images in zip(pairs.tolist(), counts.tolist(), strict=True):
        flows[former[pair // len(today)], today[pair % len(today)]] += images
    return flows


def _find_goal(label: str, flows: Counter[tuple[str, str]]) -> str:
    goals = sorted(((images, goal) for (source, goal), images in flows.items() if source == label), reverse=True)
    return goals[0][1] if goals else ""


def _moved_together(label: str, goal: str, sizes: Counter[str], flows: Counter[tuple[str, str]]) -> bool:
    return flows[label, goal] >= _WHOLE * sizes[label]


def _find_source(label: str, flows: Counter[tuple[str, str]]) -> str:
    """Find the class from which nearly all photographs of a new class came.

    Returns:
        The class; empty where there is no such class.
    """
    came = {source: images for (source, goal), images in flows.items() if goal == label}
    largest = max(came, key=came.__getitem__, default="")
    return largest if largest and came[largest] >= _WHOLE * sum(came.values()) else ""
