"""Why an object cannot become a training image: a reason from a short list, and a detail for people."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The whole list of reasons; docs/rejections.md says for each what it means and what to do."""

    EMPTY = "empty"
    NOT_AN_IMAGE = "not-an-image"
    UNKNOWN_FORMAT = "unknown-format"
    DAMAGED = "damaged"
    TOO_MANY_BYTES = "too-many-bytes"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_SMALL = "too-small"
    TOO_NARROW = "too-narrow"
    TOO_SLOW = "too-slow-to-decode"
    TOO_MUCH_MEMORY = "too-much-memory"
    DECODER_DIED = "decoder-died"
    CHANGED = "changed-while-fetched"
    CANNOT_BE_READ = "cannot-be-read"
    ARCHIVED = "archived"
    NOT_A_FILE = "not-a-regular-file"
    UNUSABLE_NAME = "unusable-name"
    FORGOTTEN = "removed-for-good"


# No reason of ours is longer.
DETAIL_LETTERS = 500


@dataclass(frozen=True, slots=True)
class Rejection:
    """An answer, not an error: the object is passed over, and this is why."""

    reason: Reason
    detail: str


def first_line(error: Exception) -> str:
    """Say what an error says in one line of at most 120 letters, for a rejection's detail."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
