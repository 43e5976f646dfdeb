"""What a person reads of work that goes on."""

import pytest

from tasks.domain.pace import describe_duration, describe_pace, describe_stages


def test_a_pace_says_rate_time_left_and_what_takes_the_time() -> None:
    """The line names images a second, the time left, and each stage's share."""
    line = describe_pace(600, 3600, "3,600 images", 60.0, {"bucket": 10.0, "network": 90.0})
    assert line == "600 of 3,600 images, 10.0 a second, 5 min left, time spent: network 90%, bucket 10%"


def test_nothing_is_foretold_before_anything_is_done() -> None:
    """The first second says nothing of the hours that follow."""
    assert describe_pace(0, 9, "9 images", 60.0, {}) == "0 of 9 images"
    assert describe_pace(3, 9, "9 images", 0.1, {}) == "3 of 9 images"
    assert describe_stages({"bucket": 0.0}) == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(4, "4 s"), (3000, "50 min"), (12_000, "3 h 20 min"), (187_200, "2 days 4 h")]
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    """Two units at most, the larger one first."""
    assert describe_duration(seconds) == words
