"""Label changes between two dataset versions: classes that moved as a whole, and relabelled photographs."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.domain.columns import Codes
from tasks.domain.datasets.assignments import SPLITS
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.evaluation.vocabulary import ImageLabels, Vocabulary, count_codes, match_classes
from tasks.domain.phrasing import count

Direction = Literal["lost", "gained"]
# How many classes a sentence names.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class RelabelledImage:
    """A photograph whose label changed, in the common vocabulary of both versions.

    Attributes:
        image: The name of the image.
        key: Its key in the source.
        before: The former label.
        after: Today's label.
        split: Today's split.
        group: The near-duplicate group.
    """

    image: str
    key: str
    before: str
    after: str
    split: str
    group: str


@dataclass(frozen=True, slots=True)
class ClassChange:
    """How many photographs a class lost to other classes, or gained from them, by relabelling alone.

    Attributes:
        label: The class.
        direction: Whether the class lost or gained photographs.
        images: How many photographs moved.
        of: How many photographs of the class are in both versions, by the former labels where it lost some, by today's
            where it gained some.
        tested: How many test images the class had among the images of both versions, by the former labels.
        left: How many test images with an unchanged label the class has now, new ones included.
    """

    label: str
    direction: Direction
    images: int
    of: int
    tested: int
    left: int

    @property
    def share(self) -> float:
        """Return the share of the class that moved, between 0 and 1."""
        return self.images / self.of


@dataclass(frozen=True, slots=True)
class Relabelling:
    """How the labels changed since the champion was evaluated.

    Attributes:
        known: The number of images that are in both versions.
        vocabulary: The classes that moved as a whole, which does not count as relabelling.
        moved: The photographs that were relabelled, sorted by image.
        changes: The classes that they left and went to, the largest share first.
    """

    known: int
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    moved: tuple[RelabelledImage, ...] = ()
    changes: tuple[ClassChange, ...] = ()

    def find_moved(self, images: Sequence[str]) -> frozenset[int]:
        """Return the indices of those images that were relabelled."""
        moved = {photograph.image for photograph in self.moved}
        return frozenset(index for index, image in enumerate(images) if image in moved)

    def sentences(self) -> tuple[str, ...]:
        """Describe how many labels changed, of which classes and in which direction; empty where none did."""
        if not self.moved:
            return self.vocabulary.sentences()
        tests = sum(photograph.split == Split.TEST.value for photograph in self.moved)
        parts = [
            f"{count(len(self.moved), 'photograph carries', 'photographs carry')} another label than before",
            f"{tests:,} of them in the test split",
        ]
        parts += [text for way in ("lost", "gained") if (text := _describe_direction(self.changes, way))]
        return (", ".join(parts), *self.vocabulary.sentences())


def find_relabelling(
    former: Mapping[str, str] | ImageLabels,
    rows: Sequence[Row],
    group_names: Callable[[Sequence[str]], Sequence[str]] = list,
) -> Relabelling:
    """Compare today's labels with former ones.

    Args:
        former: The label of each image under which the champion was evaluated, also of images that are gone.
        rows: Today's version.
        group_names: Returns the near-duplicate groups of images; by default each image is a group of its own.

    Returns:
        What changed; renamed, merged and split classes count as unchanged.
    """
    columns, known = VersionRows.of(rows), ImageLabels.of(former)
    labels = tuple(label for label, _ in columns.kinds)
    vocabulary = match_classes(known, ImageLabels(columns.images, columns.codes, labels))
    used = columns.take(columns.splits != SPLITS.index(Split.HELD_OUT))
    places = known.find(used.images)
    before = [vocabulary.translate_former(label) for label in known.labels]
    after = [vocabulary.translate_current(label) for label in labels]
    words = tuple(sorted({*before, *after}))
    pairs = LabelPairs(
        words,
        np.where(places < 0, -1, np.append(_numbers(before, words)[known.codes], np.int32(-1))[places]),
        _numbers(after, words)[used.codes],
        used.splits == SPLITS.index(Split.TEST),
    )
    changed = used.take(pairs.moved)
    groups = group_names(changed.images.to_pylist())
    moved = [
        RelabelledImage(row.image, row.key, words[was], words[now], row.split.value, group)
        for row, was, now, group in zip(
            changed, pairs.before[pairs.moved].tolist(), pairs.after[pairs.moved].tolist(), groups, strict=True
        )
    ]
    moved.sort(key=lambda photograph: photograph.image)
    return Relabelling(int(pairs.shared.sum()), vocabulary, tuple(moved), pairs.count_changes())


@dataclass(frozen=True, eq=False)
class LabelPairs:
    """Both labels of each image of today's version that is not held out, in the common vocabulary.

    Attributes:
        words: The labels, by number.
        before: The number of each image's former label, of shape (n_images,); -1 for an image that had none.
        after: The number of its label of today.
        tested: Whether it is a test image.
    """

    words: tuple[str, ...]
    before: Codes
    after: Codes
    tested: NDArray[np.bool_]

    @property
    def shared(self) -> NDArray[np.bool_]:
        """Whether each image is in both versions."""
        return self.before >= 0

    @property
    def moved(self) -> NDArray[np.bool_]:
        """Whether each image was relabelled."""
        return np.asarray(self.shared & (self.before != self.after), np.bool_)

    def count_changes(self) -> tuple[ClassChange, ...]:
        """Return the classes that images left and went to, the largest share first."""
        moved, shared = self.moved, self.shared
        tested = self._count(self.before, shared & self.tested)
        remaining = self._count(self.after, self.tested & ~moved)
        ways: tuple[tuple[Direction, Codes], ...] = (("lost", self.before), ("gained", self.after))
        changes = [
            ClassChange(label, direction, images, of[label], tested[label], remaining[label])
            for direction, codes in ways
            for of in [self._count(codes, shared)]
            for label, images in self._count(codes, moved).items()
        ]
        return tuple(sorted(changes, key=lambda change: (-change.share, change.label, change.direction)))

    def _count(self, codes: Codes, mask: NDArray[np.bool_]) -> Counter[str]:
        return count_codes(codes[mask], self.words)


def _numbers(labels: Sequence[str], words: Sequence[str]) -> Codes:
    numbers = {word: number for number, word in enumerate(words)}
    return np.array([numbers[label] for label in labels], np.int32)


def _describe_direction(changes: Sequence[ClassChange], direction: str) -> str:
    selected = sorted(
        (change for change in changes if change.direction == direction),
        key=lambda change: (-change.images, change.label),
    )
    if not selected:
        return ""
    more = f" and {count(len(selected) - _NAMED, 'more class', 'more classes')}" if len(selected) > _NAMED else ""
    return f"{direction} by " + ", ".join(f"{change.label} {change.images:,}" for change in selected[:_NAMED]) + more
