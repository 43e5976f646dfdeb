"""The data card: what a dataset version holds and how it differs from its parent, in numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.domain.manifest import Row

_LOPSIDED = 10


@dataclass(frozen=True, slots=True)
class ClassCard:
    """One class: how many images in each split, and how many with each attribute value."""

    label: str
    images: int
    splits: dict[str, int]
    attributes: dict[str, int]


@dataclass(frozen=True, slots=True)
class DataCard:
    """A dataset version beside its parent; images are named by their SHA-256."""

    images: int
    classes: tuple[ClassCard, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    relabelled: tuple[str, ...]
    warnings: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Turn the card into what JSON can hold."""
        return asdict(self)


def data_card(rows: Sequence[Row], parent: Sequence[Row]) -> DataCard:
    """Count a version's classes and name what is new, gone and relabelled since its parent."""
    now, before = {row.image: row.label for row in rows}, {row.image: row.label for row in parent}
    classes = tuple(_class_card(label, rows) for label in sorted(set(now.values())))
    return DataCard(
        images=len(rows),
        classes=classes,
        added=tuple(sorted(now.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - now.keys())),
        relabelled=tuple(sorted(image for image in now.keys() & before.keys() if now[image] != before[image])),
        warnings=tuple(_warnings(classes, set(before.values()))),
    )


def _class_card(label: str, rows: Sequence[Row]) -> ClassCard:
    own = [row for row in rows if row.label == label]
    return ClassCard(
        label=label,
        images=len(own),
        splits=dict(sorted(Counter(row.split.value for row in own).items())),
        attributes=dict(sorted(Counter(f"{name}={value}" for row in own for name, value in row.attributes).items())),
    )


def _warnings(classes: Sequence[ClassCard], former: set[str]) -> list[str]:
    ordered = sorted(classes, key=lambda one: (one.images, one.label))
    found = []
    if ordered and ordered[-1].images > _LOPSIDED * ordered[0].images:
        most, least = ordered[-1], ordered[0]
        found.append(f"{most.label} has {most.images:,} images, over ten times as many as {least.label}")
    found += [
        f"{one.label} has no test image, so nothing is known about it" for one in classes if "test" not in one.splits
    ]
    found += [f"the class {label} is gone" for label in sorted(former - {one.label for one in classes})]
    return found
