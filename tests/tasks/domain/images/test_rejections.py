"""A rejection is as permanent as its cause."""

from dataclasses import replace

import pytest

from tasks.domain.images.rejections import RELEASED, Circumstances, Reason, is_retried_every_run, is_retry_due

THEN = Circumstances(1000, 10_000, 32, "Pillow 13", "2026-11-01T02:00:00+00:00")
CHANGES = {
    "nothing": THEN,
    "a day later": replace(THEN, time="2026-11-02T02:00:00+00:00"),
    "a week later": replace(THEN, time="2026-11-08T02:00:00+00:00"),
    "the clock went back": replace(THEN, time="2026-10-01T02:00:00+00:00"),
    "more bytes": replace(THEN, max_bytes=1001),
    "fewer bytes": replace(THEN, max_bytes=999),
    "more pixels": replace(THEN, max_pixels=10_001),
    "fewer pixels": replace(THEN, max_pixels=9_999),
    "smaller sides": replace(THEN, min_side=31),
    "longer sides": replace(THEN, min_side=33),
    "other decoders": replace(THEN, decoders="Pillow 14"),
}
SOME_DAY = {"a week later", "the clock went back", "other decoders"}
DUE = {
    Reason.EMPTY: set[str](),
    Reason.NOT_AN_IMAGE: set[str](),
    Reason.UNKNOWN_FORMAT: {"other decoders"},
    Reason.DAMAGED: {"other decoders"},
    Reason.TOO_MANY_BYTES: {"more bytes"},
    Reason.TOO_MANY_PIXELS: {"more pixels"},
    Reason.TOO_SMALL: {"smaller sides"},
    Reason.TOO_NARROW: set[str](),
    Reason.TOO_SLOW: SOME_DAY,
    Reason.TOO_MUCH_MEMORY: SOME_DAY | {"more bytes", "more pixels"},
    Reason.DECODER_DIED: SOME_DAY,
    Reason.CHANGED: set(CHANGES),
    Reason.CANNOT_BE_READ: set(CHANGES),
    Reason.ARCHIVED: set(CHANGES),
    Reason.NOT_A_FILE: set[str](),
    Reason.UNUSABLE_NAME: set[str](),
    Reason.FORGOTTEN: set[str](),
}


@pytest.mark.parametrize("reason", Reason)
def test_a_rejection_stands_until_its_cause_is_gone(reason: Reason) -> None:
    """Each reason is examined again when what it hangs on has changed, and only then."""
    assert {name for name, limits in CHANGES.items() if is_retry_due(reason, THEN, limits)} == DUE[reason]


@pytest.mark.parametrize("reason", Reason)
def test_what_an_older_store_did_not_note_is_due_once(reason: Reason) -> None:
    """Without a note of the circumstances all is examined again but what the bytes or the name alone say."""
    for_good = {Reason.EMPTY, Reason.NOT_AN_IMAGE, Reason.TOO_NARROW, Reason.NOT_A_FILE, Reason.UNUSABLE_NAME}
    nothing_noted = Circumstances(None, None, None, None, None)
    assert is_retry_due(reason, nothing_noted, THEN) == (reason not in for_good | {Reason.FORGOTTEN})


@pytest.mark.parametrize("reason", Reason)
def test_what_a_person_released_is_due(reason: Reason) -> None:
    """A release asks for another look, whatever the reason was."""
    assert is_retry_due(reason, Circumstances(None, None, None, None, RELEASED), THEN)


def test_a_reason_of_a_newer_pedigree_is_due() -> None:
    """A reason that this Pedigree does not know is no reason to pass an object over."""
    assert is_retry_due("haunted", THEN, THEN)


def test_what_costs_one_request_is_tried_every_time() -> None:
    """What cannot be read today may be readable tomorrow, without any sign of it in the listing."""
    assert {reason for reason in Reason if is_retried_every_run(reason)} == {
        Reason.CHANGED,
        Reason.CANNOT_BE_READ,
        Reason.ARCHIVED,
    }
