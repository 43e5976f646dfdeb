"""Dataset versions side by side: how they are named, and what differs between two of them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from configs.errors import SettingsError
from tasks.domain.datasets.label_issues import LabelIssues
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split

#: How many digits of a hash people are shown.
SHORT = 12
#: The word for the newest version.
LATEST = "latest"
_ABBREVIATED = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class RowPair:
    """One image as it stands in two versions."""

    before: Row
    after: Row


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What turns one version into another, each part sorted by image; an image may be in several of the last three."""

    added: tuple[Row, ...]
    removed: tuple[Row, ...]
    relabelled: tuple[RowPair, ...]
    resplit: tuple[RowPair, ...]
    redescribed: tuple[RowPair, ...]

    def to_dict(self) -> dict[str, Any]:
        """Turn the difference into what JSON can hold, every image by its name and key."""
        return {
            "added": [_row_to_dict(row) for row in self.added],
            "removed": [_row_to_dict(row) for row in self.removed],
            "relabelled": [_pair_to_dict(pair, "label") for pair in self.relabelled],
            "resplit": [_pair_to_dict(pair, "split") for pair in self.resplit],
            "redescribed": [_pair_to_dict(pair, "attributes") for pair in self.redescribed],
        }


def diff_versions(before: Sequence[Row], after: Sequence[Row]) -> VersionDiff:
    """Name what was added, removed, relabelled, moved to another split, or given other attributes."""
    old, new = {row.image: row for row in before}, {row.image: row for row in after}
    pairs = [RowPair(old[image], new[image]) for image in sorted(old.keys() & new.keys())]
    return VersionDiff(
        added=tuple(new[image] for image in sorted(new.keys() - old.keys())),
        removed=tuple(old[image] for image in sorted(old.keys() - new.keys())),
        relabelled=tuple(pair for pair in pairs if pair.before.label != pair.after.label),
        resplit=tuple(pair for pair in pairs if pair.before.split is not pair.after.split),
        redescribed=tuple(pair for pair in pairs if sorted(pair.before.attributes) != sorted(pair.after.attributes)),
    )


def resolve_version(word: str, versions: Sequence[str]) -> str:
    """Find the one version that a person means: ``latest``, or the first digits of its hash, four at least.

    The versions come oldest first; raises SettingsError where none or several fit.
    """
    if word == LATEST and versions:
        return versions[-1]
    if not _ABBREVIATED.fullmatch(word.lower()):
        raise SettingsError(f"{word} is no version: give at least 4 hexadecimal digits of its hash, or {LATEST}.")
    matches = [name for name in versions if name.startswith(word.lower())]
    if not matches:
        raise SettingsError(f"The store holds no version {word}: pedigree data list shows those that it holds.")
    if len(matches) > 1:
        names = " and ".join(name[: max(SHORT, len(word) + 4)] for name in matches[:2])
        raise SettingsError(f"{word} fits {len(matches)} versions, such as {names}: give more digits.")
    return matches[0]


def _row_to_dict(row: Row) -> dict[str, Any]:
    return {**row._asdict(), "split": row.split.value, "attributes": dict(row.attributes)}


def _pair_to_dict(pair: RowPair, field: str) -> dict[str, Any]:
    before, after = _row_to_dict(pair.before), _row_to_dict(pair.after)
    return {"image": pair.after.image, "before": before[field], "after": after[field], "key": pair.after.key}


def sort_versions(written: Mapping[str, str], decided: Mapping[str, str]) -> list[str]:
    """Sort versions by when they were first decided about, or written where nothing was decided, oldest first.

    The ledger's time outlives a copy of the store, the time of a file may not.
    """
    return sorted(written, key=lambda name: (decided.get(name, written[name]), name))


@dataclass(frozen=True, slots=True)
class DatasetDrift:
    """Images by class that are not held out; classes that only the champion knows; the share of contradictory images.

    Those have two labels, or near duplicates under another label. Drift is how far the mixture is from the parent
    version's, of classes or of the attribute that ``drifted`` names: the total variation distance, from 0 (the same
    shares) to 1 (nothing in common); None without a parent.
    The labels that the features speak against are counted by class.
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
    """Look at a dataset version beside its parent.

    Args:
        rows: The version's.
        parent: The parent version's.
        lost: Classes that only the champion knows.
        conflicts: So many images are under two labels, which keeps them out of the version.
        contradictory: So many images of the version are near duplicates of others under another label.
    """
    used = [row for row in rows if row.split is not Split.HELD_OUT]
    drift, drifted = _largest_drift(used, [row for row in parent if row.split is not Split.HELD_OUT])
    return DatasetDrift(
        images=dict(sorted(Counter(row.label for row in used).items())),
        lost=tuple(lost),
        conflicts=(conflicts + contradictory) / max(len(rows) + conflicts, 1),
        drift=drift,
        drifted=drifted,
    )


def _largest_drift(rows: Sequence[Row], parent: Sequence[Row]) -> tuple[float | None, str]:
    if not (rows and parent):
        return None, ""
    names = {name for row in (*rows, *parent) for name, _ in row.attributes}
    distances = {
        "classes": _total_variation(*(Counter(row.label for row in version_rows) for version_rows in (rows, parent)))
    }
    for name in names:
        distances[name] = _total_variation(
            *(Counter(dict(row.attributes).get(name, "") for row in version_rows) for version_rows in (rows, parent))
        )
    furthest = max(sorted(distances), key=distances.__getitem__)
    return distances[furthest], furthest


def _total_variation(counts: Counter[str], parent_counts: Counter[str]) -> float:
    """Halve the sum of the absolute differences of the shares."""
    return (
        sum(
            abs(counts[name] / counts.total() - parent_counts[name] / parent_counts.total())
            for name in {*counts, *parent_counts}
        )
        / 2
    )
