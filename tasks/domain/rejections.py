"""Why an object cannot become a training image: a reason from a short list, and a detail for people."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The whole list of reasons."""

    EMPTY = "empty"
    NOT_AN_IMAGE = "not-an-image"
    UNKNOWN_FORMAT = "unknown-format"
    DAMAGED = "damaged"
    TOO_MANY_BYTES = "too-many-bytes"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_SMALL = "too-small"
    CHANGED = "changed-while-fetched"
    FORGOTTEN = "removed-for-good"


@dataclass(frozen=True, slots=True)
class Rejection:
    """An answer, not an error: the object is passed over, and this is why."""

    reason: Reason
    detail: str
