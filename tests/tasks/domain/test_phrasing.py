"""How numbers are written."""

import pytest

from tasks.domain.phrasing import format_figure


@pytest.mark.parametrize(
    ("value", "message"), [(-0.0004, "0.000"), (0.0, "0.000"), (-0.0316, "-0.032"), (1, "1.000"), (None, "")]
)
def test_a_figure_has_three_places_and_no_minus_before_nothing(value: float | None, message: str) -> None:
    """What rounds to nothing is nothing, on whichever side of it."""
    assert format_figure(value) == message
