"""Rejections: why an object cannot become a training image, and when a rejected object is examined again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: The longest detail of a rejection, in characters.
DETAIL_LETTERS = 500
#: Stored in place of a time when somebody has asked for the object to be examined again.
RELEASED = "released"
# Decoding again what failed on a busy machine takes up to two minutes of a core, so it is not tried in every run.
_RETRY_AFTER = timedelta(days=7)


class Reason(StrEnum):
    """All reasons for a rejection; docs/reference/rejections.md says what each one means and what to do about it."""

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


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one object is rejected; a result that is handed back, not an exception.

    Attributes:
        reason: The reason.
        detail: What is wrong with this object, for people.
    """

    reason: Reason
    detail: str


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, at most 120 characters, for a rejection's detail."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The limits, decoders and time of an examination, on which a rejection may depend.

    All of them are None for rejections stored by versions that did not record them.

    Attributes:
        max_bytes: The largest file that was allowed, in bytes.
        max_pixels: The largest picture that was allowed, in pixels.
        min_side: The smallest shorter side that was allowed, in pixels.
        decoders: The versions of the decoders, as ``decoder_versions`` returns them.
        time: When it was examined, in ISO 8601, or ``RELEASED``.
    """

    max_bytes: int | None
    max_pixels: int | None
    min_side: int | None
    decoders: str | None
    time: str | None


_DueCheck = Callable[[Circumstances, Circumstances], bool]


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
    """Retry with other decoders or after a week; a clock that was set back does not lengthen the wait."""
    if former.time is None or current.time is None or _other_decoders(former, current):
        return True
    passed = datetime.fromisoformat(current.time) - datetime.fromisoformat(former.time)
    return not timedelta() <= passed < _RETRY_AFTER


def _more_memory(former: Circumstances, current: Circumstances) -> bool:
    return _after_a_while(former, current) or _more_pixels(former, current) or _more_bytes(former, current)


# The check that decides, for each reason, whether an object is examined again.
_DUE_CHECKS: Mapping[Reason, _DueCheck] = {
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


def is_retry_due(reason: str, former: Circumstances, current: Circumstances) -> bool:
    """Check whether a rejected object is to be examined again.

    Args:
        reason: Why it was rejected; a reason that only a newer Pedigree knows is always due.
        former: The circumstances in which it was rejected.
        current: The circumstances of this run.

    Returns:
        Whether it is examined again.
    """
    if former.time == RELEASED or reason not in _DUE_CHECKS:
        return True
    return _DUE_CHECKS[Reason(reason)](former, current)


def is_retried_every_run(reason: Reason) -> bool:
    """Check whether a retry costs only one request, so that every run tries again."""
    return _DUE_CHECKS[reason] is _always


def is_retried_in_time(reason: str) -> bool:
    """Check whether a rejection is examined again though nothing has changed: in every run, or after some days."""
    return _DUE_CHECKS.get(reason, _always) in {_always, _after_a_while, _more_memory}  # type: ignore[call-overload] # a reason of a newer Pedigree is none
