"""What the source or a labelling holds and a dataset version does not, each with the reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tasks.domain.labels import Labelling
from tasks.domain.manifest import Row
from tasks.domain.rejections import Rejection

CONFLICT, UNLABELLED, WAITING = "conflict", "unlabelled", "waiting"


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
        Absent(CONFLICT, f"the same bytes are also in {_others(key, one.claims)}", key, one.image, "")
        for one in labelling.conflicts
        for _, key in one.claims
    ]
    found += [Absent(UNLABELLED, "it lies in no folder", one.key, one.image, "") for one in labelling.unlabelled]
    found += [
        Absent(WAITING, _why(one.label, waiting), one.key, one.image, "")
        for one in labelling.labelled
        if one.image not in kept
    ]
    return found


def _others(key: str, claims: Iterable[tuple[str, str]]) -> str:
    return ", ".join(other for _, other in claims if other != key)


def _why(label: str, waiting: Sequence[str]) -> str:
    line = next((one for one in waiting if one.startswith(f"{label} (")), label)
    return f"the class waits: {line}"
