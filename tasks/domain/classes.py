"""Which classes have enough images to be learned; the others wait."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.domain.manifest import Row
from tasks.domain.splits import Split


@dataclass(frozen=True, slots=True)
class Waiting:
    """A class that is held back, how many images it has, and what it lacks."""

    label: str
    images: int
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of the classes that are learned, and the classes that wait."""

    kept: tuple[Row, ...]
    waiting: tuple[Waiting, ...]


def select(rows: Sequence[Row], minimum: int) -> Selection:
    """Hold back a class with fewer usable images than the minimum, or with none to train on."""
    usable = Counter(row.label for row in rows if row.split is not Split.HELD_OUT)
    trained = {row.label for row in rows if row.split is Split.TRAIN}
    waiting = []
    for label in sorted({row.label for row in rows}):
        if usable[label] < minimum:
            lacks = f"{usable[label]:,} of {minimum:,} images, lacks {minimum - usable[label]:,}"
            waiting.append(Waiting(label, usable[label], lacks))
        elif label not in trained:
            waiting.append(Waiting(label, usable[label], "none of its images is in the training split"))
    back = {one.label for one in waiting}
    kept = sorted((row for row in rows if row.label not in back), key=lambda row: row.image)
    return Selection(tuple(kept), tuple(waiting))
