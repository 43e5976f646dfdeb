"""Why an object cannot become a training image: a reason from a short list, and a detail for people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Reason(StrEnum):
    """The whole list of reasons; docs/reference/rejections.md says for each what it means and what to do."""

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


#: In place of a time: somebody asked for the object to be examined again.
RELEASED = "released"
# What failed on a busy machine costs up to two minutes of a core to try again, so not every night.
_WAIT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under which limits, by which decoders and when an object was examined: what a rejection may depend on.

    A store that was written before these were noted has none of them.
    """

    max_bytes: int | None
    max_pixels: int | None
    min_side: int | None
    decoders: str | None
    time: str | None


_Due = Callable[[Circumstances, Circumstances], bool]


def _never(_former: Circumstances, _current: Circumstances) -> bool:
    return False


def _always(_former: Circumstances, _current: Circumstances) -> bool:
    return True


def _other_decoders(former: Circumstances, current: Circumstances) -> bool:
    return former.decoders != current.decoders


def _more_bytes(former: Circumstances, current: Circumstances) -> bool:
    return former.max_bytes is None or current.max_bytes is None or current.max_bytes > former.max_bytes


def _more_pixels(former: Circumstances, current: Circumstances) -> bool:
    return former.max_pixels is None or current.max_pixels is None or current.max_pixels > former.max_pixels


def _smaller_sides(former: Circumstances, current: Circumstances) -> bool:
    return former.min_side is None or current.min_side is None or current.min_side < former.min_side


def _after_a_while(former: Circumstances, current: Circumstances) -> bool:
    """Ask for another machine's or another day's answer; a clock that went back does not make the wait longer."""
    if former.time is None or current.time is None or _other_decoders(former, current):
        return True
    passed = datetime.fromisoformat(current.time) - datetime.fromisoformat(former.time)
    return not timedelta() <= passed < _WAIT


def _more_memory(former: Circumstances, current: Circumstances) -> bool:
    return _after_a_while(former, current) or _more_pixels(former, current) or _more_bytes(former, current)


#: When an object that was rejected for this reason is examined again.
_DUE: Mapping[Reason, _Due] = {
    Reason.EMPTY: _never,
    Reason.NOT_AN_IMAGE: _never,
    Reason.UNKNOWN_FORMAT: _other_decoders,
    Reason.DAMAGED: _other_decoders,
    Reason.TOO_MANY_BYTES: _more_bytes,
    Reason.TOO_MANY_PIXELS: _more_pixels,
    Reason.TOO_SMALL: _smaller_sides,
    Reason.TOO_NARROW: _never,
    Reason.TOO_SLOW: _after_a_while,
    Reason.TOO_MUCH_MEMORY: _more_memory,
    Reason.DECODER_DIED: _after_a_while,
    Reason.CHANGED: _always,
    Reason.CANNOT_BE_READ: _always,
    Reason.ARCHIVED: _always,
    Reason.NOT_A_FILE: _never,
    Reason.UNUSABLE_NAME: _never,
    Reason.FORGOTTEN: _never,
}


def is_due(reason: str, former: Circumstances, current: Circumstances) -> bool:
    """Tell whether an object is to be examined again.

    Args:
        reason: Why it was rejected; one that only a newer Pedigree knows is due.
        former: What held when it was rejected.
        current: What holds today.
    """
    if former.time == RELEASED or reason not in _DUE:
        return True
    return _DUE[Reason(reason)](former, current)


def is_tried_every_time(reason: Reason) -> bool:
    """Tell whether trying costs one request only, so that each run tries again whatever has changed."""
    return _DUE[reason] is _always
