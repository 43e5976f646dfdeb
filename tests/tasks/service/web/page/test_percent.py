"""Percentages as people say them."""

import pytest

from tasks.service.web.page.percent import write_percent


@pytest.mark.parametrize(
    ("probability", "words"), [(1.0, "over 99%"), (0.996, "over 99%"), (0.994, "99%"), (0.006, "1%"), (0.0, "under 1%")]
)
def test_nothing_is_told_as_certain_or_impossible(probability: float, words: str) -> None:
    """What rounds to all or nothing is told as over or under."""
    assert write_percent(probability) == words
