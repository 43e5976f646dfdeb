"""Dataset versions compared: how they are named and sorted, what differs between two, and how far classes drifted."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from configs.errors import SettingsError
from tasks.domain.datasets.assignments import SPLITS
from tasks.domain.datasets.label_issues import LabelIssues
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.hashing import refuse_several
from tasks.domain.labels.attributes import Attributes

#: The word for the newest version.
LATEST = "latest"
_ABBREVIATED = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class RowPair:
    """The rows of one image in two versions."""

    before: Row
    after: Row


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """The differences between two versions, each part sorted by image; an image may be in several of the last three.

    Attributes:
        added: Rows that only the later version has.
        removed: Rows that only the earlier version has.
        relabelled: Images with another label.
        resplit: Images with another split.
        redescribed: Images with other attributes.
    """

    added: tuple[Row, ...]
    removed: tuple[Row, ...]
    relabelled: tuple[RowPair, ...]
    resplit: tuple[RowPair, ...]
    redescribed: tuple[RowPair, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the differences as a dictionary for JSON, every image with its name and key."""
        return {
            "added": [_row_to_dict(row) for row in self.added],
            "removed": [_row_to_dict(row) for row in self.removed],
            "relabelled": [_pair_to_dict(pair, "label") for pair in self.relabelled],
            "resplit": [_pair_to_dict(pair, "split") for pair in self.resplit],
            "redescribed": [_pair_to_dict(pair, "attributes") for pair in self.redescribed],
        }


def diff_versions(before: Sequence[Row], after: Sequence[Row]) -> VersionDiff:
    """Compare two dataset versions.

    Args:
        before: The rows of the earlier version.
        after: The rows of the later version.

    Returns:
        The differences.
    """
    old, new = (VersionRows.of(rows).in_order() for rows in (before, after))
    places = np.asarray(pc.fill_null(pc.index_in(new.images, old.images), -1), np.int64)
    shared = np.flatnonzero(places >= 0)
    former = places[shared]

    def pairs(differs: NDArray[np.bool_]) -> tuple[RowPair, ...]:
        return tuple(map(RowPair, old.take(former[differs]), new.take(shared[differs])))

    labels, attributes = dict[str, int](), dict[Attributes, int]()
    for label, described in (*old.kinds, *new.kinds):
        labels.setdefault(label, len(labels))
        attributes.setdefault(tuple(sorted(described)), len(attributes))
    old_labels, new_labels = (rows.label_codes(list(labels)) for rows in (old, new))
    old_attributes, new_attributes = (
        np.array([attributes[tuple(sorted(described))] for _, described in rows.kinds], np.int32)[rows.codes]
        for rows in (old, new)
    )
    return VersionDiff(
        added=tuple(new.take(places < 0)),
        removed=tuple(old.take(np.asarray(pc.invert(pc.is_in(old.images, new.images))))),
        relabelled=pairs(old_labels[former] != new_labels[shared]),
        resplit=pairs(old.splits[former] != new.splits[shared]),
        redescribed=pairs(old_attributes[former] != new_attributes[shared]),
    )


def resolve_version(word: str, versions: Sequence[str]) -> str:
    """Find the version that a person means.

    Args:
        word: ``latest``, or at least the first four digits of the version's hash.
        versions: The hashes of all versions, oldest first.

    Returns:
        The hash of the version.

    Raises:
        SettingsError: No version fits.
    """
    if word == LATEST and versions:
        return versions[-1]
    if not _ABBREVIATED.fullmatch(word.lower()):
        raise SettingsError(f"{word} is no version: give at least 4 hexadecimal digits of its hash, or {LATEST}.")
    matches = [name for name in versions if name.startswith(word.lower())]
    if not matches:
        raise SettingsError(f"The store holds no version {word}: pedigree data list shows those that it holds.")
    refuse_several(word, "versions", matches)
    return matches[0]


def _row_to_dict(row: Row) -> dict[str, Any]:
    return {**row._asdict(), "split": row.split.value, "attributes": dict(row.attributes)}


def _pair_to_dict(pair: RowPair, field: str) -> dict[str, Any]:
    before, after = _row_to_dict(pair.before), _row_to_dict(pair.after)
    return {"image": pair.after.image, "before": before[field], "after": after[field], "key": pair.after.key}


def sort_versions(written: Mapping[str, str], decided: Mapping[str, str]) -> list[str]:
    """Sort versions by time, oldest first.

    The time of the first decision in the ledger is preferred, since a copy of the store may not keep files' times.

    Args:
        written: When the file of each version was written, in ISO 8601.
        decided: When each version was first decided about, in ISO 8601; versions without a decision are missing.

    Returns:
        The versions.
    """
    return sorted(written, key=lambda name: (decided.get(name, written[name]), name))


@dataclass(frozen=True, slots=True)
class DatasetDrift:
    """How a dataset version differs from its parent, in the figures that the gate's rules check.

    Attributes:
        images: How many images each class has, without those held out.
        lost: Classes that only the champion knows.
        conflicts: The share of contradictory images: with two labels, or with a near duplicate under another label.
        drift: The total variation distance from the parent's mixture, from 0 (the same shares) to 1 (nothing in
            common); None without a parent.
        drifted: What drifted most: ``classes``, or the name of an attribute.
        label_issues: How many labels of each class the features contradict.
    """

    images: Mapping[str, int]
    lost: tuple[str, ...]
    conflicts: float
    drift: float | None
    drifted: str
    label_issues: LabelIssues = field(default_factory=LabelIssues)


def measure_drift(
    rows: Sequence[Row], parent: Sequence[Row], lost: Sequence[str], conflicts: int, contradictory: int = 0
) -> DatasetDrift:
    """Measure how a dataset version differs from its parent.

    Args:
        rows: The version's rows.
        parent: The parent version's rows; empty without a parent.
        lost: Classes that only the champion knows.
        conflicts: How many images have two labels, which keeps them out of the version.
        contradictory: How many images of the version are near duplicates of others under another label.

    Returns:
        The drift.
    """
    used, former = (_count_kinds(VersionRows.of(version)) for version in (rows, parent))
    drift, drifted = _largest_drift(used, former)
    return DatasetDrift(
        images=dict(sorted(_count_labels(used).items())),
        lost=tuple(lost),
        conflicts=(conflicts + contradictory) / max(len(rows) + conflicts, 1),
        drift=drift,
        drifted=drifted,
    )


# How many images have each label with attributes.
_Kinds = Counter[tuple[str, Attributes]]


def _count_kinds(rows: VersionRows) -> _Kinds:
    used = rows.codes[rows.splits != SPLITS.index(Split.HELD_OUT)]
    numbers, counts = np.unique(used, return_counts=True)
    kinds = _Kinds()
    for number, images in zip(numbers.tolist(), counts.tolist(), strict=True):
        kinds[rows.kinds[number]] += images
    return kinds


def _largest_drift(kinds: _Kinds, parent: _Kinds) -> tuple[float | None, str]:
    if not (kinds and parent):
        return None, ""
    names = {name for _, attributes in (*kinds, *parent) for name, _ in attributes}
    distances = {"classes": _total_variation(_count_labels(kinds), _count_labels(parent))}
    for name in names:
        distances[name] = _total_variation(_count_values(kinds, name), _count_values(parent, name))
    furthest = max(sorted(distances), key=lambda name: distances[name])
    return distances[furthest], furthest


def _count_labels(kinds: _Kinds) -> Counter[str]:
    counts = Counter[str]()
    for (label, _), images in kinds.items():
        counts[label] += images
    return counts


def _count_values(kinds: _Kinds, attribute: str) -> Counter[str]:
    counts = Counter[str]()
    for (_, attributes), images in kinds.items():
        counts[dict(attributes).get(attribute, "")] += images
    return counts


def _total_variation(counts: Counter[str], parent_counts: Counter[str]) -> float:
    """Return the total variation distance: half the sum of the absolute differences of the shares."""
    return (
        sum(
            abs(counts[name] / counts.total() - parent_counts[name] / parent_counts.total())
            for name in {*counts, *parent_counts}
        )
        / 2
    )
