"""The manifest of a dataset version: its rows, the hash that names it, and the classes that are held back."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from tasks.domain.datasets.splits import Split
from tasks.domain.hashing import canonical_json
from tasks.domain.labels.labeling import Attributes
from tasks.domain.phrasing import count

# Must change whenever the meaning of a row changes, so that versions of different meaning never share a hash.
_HASH_PREFIX = b"pedigree dataset 1\n"


class Row(NamedTuple):
    """One image of a dataset version.

    Attributes:
        image: The SHA-256 of its bytes.
        label: Its class.
        split: Its split.
        attributes: Names and values.
        key: Where it was found in the source; not part of the version's hash.
    """

    image: str
    label: str
    split: Split
    attributes: Attributes
    key: str


def canonical_row(row: Row) -> bytes:
    """Return the bytes of a row that the hash covers: image, label, split and attributes."""
    return b"[" + canonical_json(row.image) + b"," + _canonical_columns(row.label, row.split, row.attributes) + b"]"


@lru_cache(maxsize=2**14)
def _canonical_columns(label: str, split: Split, attributes: Attributes) -> bytes:
    """Return the bytes of all columns but the image; cached, since many images share them."""
    return canonical_json([label, split.value, [list(attribute) for attribute in sorted(attributes)]])[1:-1]


def dataset_hash(rows: Iterable[Row]) -> str:
    """Compute the hash that names a dataset version: SHA-256 over its sorted rows, as 64 hexadecimal digits."""
    digest = hashlib.sha256(_HASH_PREFIX)
    for line in sorted(canonical_row(row) for row in rows):
        digest.update(line + b"\n")
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class WaitingClass:
    """A class that is held back.

    Attributes:
        label: The class.
        images: How many usable images it has.
        reason: What it lacks, in words.
    """

    label: str
    images: int
    reason: str


@dataclass(frozen=True, slots=True)
class ClassSelection:
    """The rows of the classes that are learned, sorted by image, and the classes that wait."""

    rows: tuple[Row, ...]
    waiting: tuple[WaitingClass, ...]


def select_classes(rows: Sequence[Row], minimum: int) -> ClassSelection:
    """Select the classes that are learned; a class with too few images, or with none to train on, is held back.

    Args:
        rows: The rows of all classes.
        minimum: The smallest number of images of a class, without those that are held out.

    Returns:
        The rows of the other classes, and the classes that are held back.
    """
    usable = Counter(row.label for row in rows if row.split is not Split.HELD_OUT)
    trained = {row.label for row in rows if row.split is Split.TRAIN}
    waiting = []
    for label in sorted({row.label for row in rows}):
        if usable[label] < minimum:
            lacks = f"{usable[label]:,} of {minimum:,} images, lacks {minimum - usable[label]:,}"
            waiting.append(WaitingClass(label, usable[label], lacks))
        elif label not in trained:
            waiting.append(WaitingClass(label, usable[label], "none of its images is in the training split"))
    held_back = {waiting_class.label for waiting_class in waiting}
    selected = sorted((row for row in rows if row.label not in held_back), key=lambda row: row.image)
    return ClassSelection(tuple(selected), tuple(waiting))


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset version, and whether there is something to train on.

    Attributes:
        hash: The hash that names it.
        parent: The hash of the parent version; None without one.
        images: How many images it has.
        classes: Its classes.
        waiting: The classes that wait, as lines ``class (why)``.
        state: Whether it is to be trained on (new), is known already (unchanged), or waits for more images.
        reason: Why it is in this state, in words.
        decided: The number of the ledger's last entry at that moment; later entries are of other runs.
        contradictory: How many images are near duplicates of others under another label.
    """

    hash: str
    parent: str | None
    images: int
    classes: tuple[str, ...]
    waiting: tuple[str, ...]
    state: Literal["new", "unchanged", "waiting"]
    reason: str
    decided: int = 0
    contradictory: int = 0

    @property
    def trainable(self) -> bool:
        """Whether a model is to be trained on it in this run."""
        return self.state == "new"

    def __str__(self) -> str:
        """Name the version and say what it holds."""
        classes = count(len(self.classes), "class", "classes")
        text = f"version {self.hash[:12]} with {count(self.images, 'image')} of {classes}: {self.reason}"
        if self.state == "waiting" or not self.waiting:
            return text
        waiting_classes = f"{len(self.waiting):,} classes wait, such as {self.waiting[0]}"
        return f"{text}; {waiting_classes if self.waiting[1:] else f'{self.waiting[0]} waits'}"
