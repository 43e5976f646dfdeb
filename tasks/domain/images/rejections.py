"""Why an object cannot become a training image: a reason from a short list, and a detail for people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
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


def _never(_then: Circumstances, _now: Circumstances) -> bool:
    return False


def _always(_then: Circumstances, _now: Circumstances) -> bool:
    return True


def _other_decoders(then: Circumstances, now: Circumstances) -> bool:
    return then.decoders != now.decoders


def _more_bytes(then: Circumstances, now: Circumstances) -> bool:
    return then.max_bytes is None or now.max_bytes is None or now.max_bytes > then.max_bytes


def _more_pixels(then: Circumstances, now: Circumstances) -> bool:
    return then.max_pixels is None or now.max_pixels is None or now.max_pixels > then.max_pixels


def _smaller_sides(then: Circumstances, now: Circumstances) -> bool:
    return then.min_side is None or now.min_side is None or now.min_side < then.min_side


def _after_a_while(then: Circumstances, now: Circumstances) -> bool:
    """Ask for another machine's or another day's answer; a clock that went back does not make the wait longer."""
    if then.time is None or now.time is None or _other_decoders(then, now):
        return True
    passed = datetime.fromisoformat(now.time) - datetime.fromisoformat(then.time)
    return not timedelta() <= passed < _WAIT


def _more_memory(then: Circumstances, now: Circumstances) -> bool:
    return _after_a_while(then, now) or _more_pixels(then, now) or _more_bytes(then, now)


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


def is_due(reason: str, then: Circumstances, now: Circumstances) -> bool:
    """Tell whether an object is to be examined again.

    Args:
        reason: Why it was rejected; one that only a newer Pedigree knows is due.
        then: What held when it was rejected.
        now: What holds today.
    """
    if then.time == RELEASED or reason not in _DUE:
        return True
    return _DUE[Reason(reason)](then, now)


def is_tried_every_time(reason: Reason) -> bool:
    """Tell whether trying costs one request only, so that each run tries again whatever has changed."""
    return _DUE[reason] is _always
