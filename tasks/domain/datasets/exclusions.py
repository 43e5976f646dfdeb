"""What the source or a labelling holds and a dataset version does not, each with the reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.domain.datasets.contradictions import ALIKE
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.published_splits import ELSEWHERE
from tasks.domain.images.rejections import Rejection
from tasks.domain.labels.labeling import Labelling

CONFLICT, UNLABELLED, LEFT_OUT, WAITING = "conflict", "unlabelled", "left-out", "waiting"
# What a card finds that a person has to decide, and by which word it is listed beside what is absent.
_DOUBTS = {ALIKE: "alike-under-two-labels", ELSEWHERE: "not-in-published-split"}


@dataclass(frozen=True, slots=True)
class Absent:
    """An object that is in no version, or not in this one; a rejected object holds no image."""

    reason: str
    detail: str
    key: str
    image: str
    source: str


def rejected(source: str, rejections: Mapping[str, Rejection]) -> list[Absent]:
    """List a source's rejected objects, by key."""
    return [Absent(one.reason.value, one.detail, key, "", source) for key, one in sorted(rejections.items())]


def left_out(labelling: Labelling, rows: Iterable[Row], waiting: Sequence[str]) -> list[Absent]:
    """List what a labelling holds and the version made of it does not; ``waiting`` holds ``class (why)`` lines."""
    kept = {row.image for row in rows}
    found = [
        Absent(CONFLICT, f"it is also called {_others(label, key, one.claims)}", key, one.image, "")
        for one in labelling.conflicts
        for label, key in one.claims
    ]
    found += [Absent(UNLABELLED, "nobody says what it shows", one.key, one.image, "") for one in labelling.unlabelled]
    found += [
        Absent(LEFT_OUT, f"labels.leave_out names {one.label}", one.key, one.image, "") for one in labelling.left_out
    ]
    found += [
        Absent(WAITING, _why(one.label, waiting), one.key, one.image, "")
        for one in labelling.labelled
        if one.image not in kept
    ]
    return found


def doubtful(findings: Iterable[Mapping[str, Any]]) -> list[Absent]:
    """List the images of a card's findings that are in a version and contradict another image."""
    return [
        Absent(_DOUBTS[finding["kind"]], f"{one['label']}, {one['figure']}", one["key"], one["image"], "")
        for finding in findings
        if finding["kind"] in _DOUBTS
        for one in finding["images"]
    ]


def _others(label: str, key: str, claims: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{other} ({at})" for other, at in claims if (other, at) != (label, key))


def _why(label: str, waiting: Sequence[str]) -> str:
    line = next((one for one in waiting if one.startswith(f"{label} (")), label)
    return f"the class waits: {line}"
