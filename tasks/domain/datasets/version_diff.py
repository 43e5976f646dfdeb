"""Dataset versions side by side: how they are named, and what differs between two of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import SettingsError
from tasks.domain.datasets.manifest import Row

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
            "added": [_plain_row(row) for row in self.added],
            "removed": [_plain_row(row) for row in self.removed],
            "relabelled": [_plain_pair(pair, "label") for pair in self.relabelled],
            "resplit": [_plain_pair(pair, "split") for pair in self.resplit],
            "redescribed": [_plain_pair(pair, "attributes") for pair in self.redescribed],
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


def _plain_row(row: Row) -> dict[str, Any]:
    return {**row._asdict(), "split": row.split.value, "attributes": dict(row.attributes)}


def _plain_pair(pair: RowPair, field: str) -> dict[str, Any]:
    before, after = _plain_row(pair.before), _plain_row(pair.after)
    return {"image": pair.after.image, "before": before[field], "after": after[field], "key": pair.after.key}


def sort_versions(written: Mapping[str, str], decided: Mapping[str, str]) -> list[str]:
    """Sort versions by when they were first decided about, or written where nothing was decided, oldest first.

    The ledger's time outlives a copy of the store, the time of a file may not.
    """
    return sorted(written, key=lambda name: (decided.get(name, written[name]), name))
