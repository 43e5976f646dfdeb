"""Photographs whose label changed since the champion was judged: how many, of which classes, and which way."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tasks.domain.manifest import Row
from tasks.domain.splits import Split
from tasks.domain.whole_classes import Vocabulary, whole_classes
from tasks.domain.wording import count

Direction = Literal["lost", "gained"]
# So many classes are named in a sentence.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Moved:
    """One photograph under another label than before, in the common vocabulary of both versions."""

    image: str
    key: str
    before: str
    after: str
    split: str
    group: str


@dataclass(frozen=True, slots=True)
class ClassChange:
    """How many photographs a class lost to others, or gained from them, by relabelling alone.

    Attributes:
        label: The class.
        direction: Whether it lost or gained them.
        images: How many moved.
        of: How many photographs of the class are in both versions: by the former labels where it lost, by today's where
            it gained.
        tested: How many test images it had, of those in both versions, by the former labels.
        left: How many test images it has now whose label nobody changed, new ones among them.
    """

    label: str
    direction: Direction
    images: int
    of: int
    tested: int
    left: int

    @property
    def share(self) -> float:
        """Give the share of the class that moved, between 0 and 1."""
        return self.images / self.of


@dataclass(frozen=True, slots=True)
class Relabelling:
    """What became of the labels between the version that the champion was judged on and today's.

    Attributes:
        known: So many images are in both.
        vocabulary: The classes that moved as a whole, which is no relabelling.
        moved: The photographs that moved on their own, sorted by image.
        changes: The classes that they left and went to, the largest share first.
    """

    known: int
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    moved: tuple[Moved, ...] = ()
    changes: tuple[ClassChange, ...] = ()

    def places(self, images: Sequence[str]) -> frozenset[int]:
        """Tell which of some images moved, by their places."""
        moved = {one.image for one in self.moved}
        return frozenset(place for place, image in enumerate(images) if image in moved)

    def sentences(self) -> tuple[str, ...]:
        """Say how many labels changed, of which classes and which way; nothing where none did."""
        if not self.moved:
            return self.vocabulary.sentences()
        tests = sum(one.split == Split.TEST.value for one in self.moved)
        parts = [
            f"{count(len(self.moved), 'photograph carries', 'photographs carry')} another label than before",
            f"{tests:,} of them in the test split",
        ]
        parts += [text for way in ("lost", "gained") if (text := _ways(self.changes, way))]
        return (", ".join(parts), *self.vocabulary.sentences())


def relabelling(former: Mapping[str, str], rows: Sequence[Row], groups: Mapping[str, str]) -> Relabelling:
    """Compare today's labels with former ones.

    Args:
        former: The label of each image under which the champion was judged, also of images that are gone.
        rows: Today's version.
        groups: The near-duplicate group of each image; one that has none is a group of its own.

    Returns:
        What changed, where renamed, merged and split classes count as the same.
    """
    used = [row for row in rows if row.split is not Split.HELD_OUT]
    words = whole_classes(former, {row.image: row.label for row in rows})
    both = [
        Moved(
            row.image,
            row.key,
            words.of_former(former[row.image]),
            words.of_today(row.label),
            row.split.value,
            groups.get(row.image, row.image),
        )
        for row in used
        if row.image in former
    ]
    moved = tuple(sorted((one for one in both if one.before != one.after), key=lambda one: one.image))
    changed = {one.image for one in moved}
    left = Counter(words.of_today(row.label) for row in used if row.split is Split.TEST and row.image not in changed)
    return Relabelling(len(both), words, moved, _changes(both, moved, left))


def _changes(both: Sequence[Moved], moved: Sequence[Moved], left: Mapping[str, int]) -> tuple[ClassChange, ...]:
    tested = Counter(one.before for one in both if one.split == Split.TEST.value)
    ways: tuple[tuple[Direction, Counter[str], Counter[str]], ...] = (
        ("lost", Counter(one.before for one in moved), Counter(one.before for one in both)),
        ("gained", Counter(one.after for one in moved), Counter(one.after for one in both)),
    )
    changes = [
        ClassChange(label, direction, images, of[label], tested[label], left.get(label, 0))
        for direction, number, of in ways
        for label, images in number.items()
    ]
    return tuple(sorted(changes, key=lambda one: (-one.share, one.label, one.direction)))


def _ways(changes: Sequence[ClassChange], direction: str) -> str:
    own = sorted((one for one in changes if one.direction == direction), key=lambda one: (-one.images, one.label))
    if not own:
        return ""
    more = f" and {count(len(own) - _NAMED, 'more class', 'more classes')}" if len(own) > _NAMED else ""
    return f"{direction} by " + ", ".join(f"{one.label} {one.images:,}" for one in own[:_NAMED]) + more
