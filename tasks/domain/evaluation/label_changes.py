"""Label changes between two dataset versions: classes that moved as a whole, and relabelled photographs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.phrasing import count

# A class moved as a whole where at least this share of its photographs moved to the same class.
_WHOLE = 0.9
# A class that was split keeps its name where it kept at least this share of its photographs.
_KEPT = 0.5
Direction = Literal["lost", "gained"]
# How many classes a sentence names.
_NAMED = 3


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


def match_classes(before: Mapping[str, str], after: Mapping[str, str]) -> Vocabulary:
    """Find the classes that moved as a whole between two versions.

    Args:
        before: The label of each image of the former version, also of images that are gone.
        after: The label of each image of today's version.

    Returns:
        The common vocabulary. A class that is gone counts as renamed or merged where nine tenths of its photographs are
        in one other class. A new class counts as split off where nine tenths of the photographs that it has from before
        came from one class, which is gone too or kept at least half of its photographs.
    """
    sizes, flows = Counter(before.values()), Counter((label, after[i]) for i, label in before.items() if i in after)
    old, new = set(sizes), set(after.values())
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


def find_relabelling(former: Mapping[str, str], rows: Sequence[Row], groups: Mapping[str, str]) -> Relabelling:
    """Compare today's labels with former ones.

    Args:
        former: The label of each image under which the champion was evaluated, also of images that are gone.
        rows: Today's version.
        groups: The near-duplicate group of each image; an image without an entry is a group of its own.

    Returns:
        What changed; renamed, merged and split classes count as unchanged.
    """
    used = [row for row in rows if row.split is not Split.HELD_OUT]
    vocabulary = match_classes(former, {row.image: row.label for row in rows})
    shared = [
        RelabelledImage(
            row.image,
            row.key,
            vocabulary.translate_former(former[row.image]),
            vocabulary.translate_current(row.label),
            row.split.value,
            groups.get(row.image, row.image),
        )
        for row in used
        if row.image in former
    ]
    moved = tuple(
        sorted(
            (photograph for photograph in shared if photograph.before != photograph.after),
            key=lambda photograph: photograph.image,
        )
    )
    changed = {photograph.image for photograph in moved}
    remaining = Counter(
        vocabulary.translate_current(row.label) for row in used if row.split is Split.TEST and row.image not in changed
    )
    return Relabelling(len(shared), vocabulary, moved, _count_changes(shared, moved, remaining))


def _count_changes(
    shared: Sequence[RelabelledImage], moved: Sequence[RelabelledImage], remaining: Mapping[str, int]
) -> tuple[ClassChange, ...]:
    tested = Counter(photograph.before for photograph in shared if photograph.split == Split.TEST.value)
    ways: tuple[tuple[Direction, Counter[str], Counter[str]], ...] = (
        (
            "lost",
            Counter(photograph.before for photograph in moved),
            Counter(photograph.before for photograph in shared),
        ),
        (
            "gained",
            Counter(photograph.after for photograph in moved),
            Counter(photograph.after for photograph in shared),
        ),
    )
    changes = [
        ClassChange(label, direction, images, of[label], tested[label], remaining.get(label, 0))
        for direction, number, of in ways
        for label, images in number.items()
    ]
    return tuple(sorted(changes, key=lambda change: (-change.share, change.label, change.direction)))


def _describe_direction(changes: Sequence[ClassChange], direction: str) -> str:
    selected = sorted(
        (change for change in changes if change.direction == direction),
        key=lambda change: (-change.images, change.label),
    )
    if not selected:
        return ""
    more = f" and {count(len(selected) - _NAMED, 'more class', 'more classes')}" if len(selected) > _NAMED else ""
    return f"{direction} by " + ", ".join(f"{change.label} {change.images:,}" for change in selected[:_NAMED]) + more
