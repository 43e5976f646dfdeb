"""The manifest of a dataset version: its rows, the hash that names it, and the classes that are held back."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from tasks.domain.datasets.splits import Split
from tasks.domain.hashing import canonical_json
from tasks.domain.labels.attributes import Attributes
from tasks.domain.phrasing import count


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


@lru_cache(maxsize=2**14)
def canonical_columns(label: str, split: Split, attributes: Attributes) -> bytes:
    """Return the bytes that the hash of a version covers of a row besides its image; cached, since many share them.

    Args:
        label: The row's class.
        split: Its split.
        attributes: Names and values.

    Returns:
        Canonical JSON without the brackets around it.
    """
    return canonical_json([label, split.value, [list(attribute) for attribute in sorted(attributes)]])[1:-1]


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
