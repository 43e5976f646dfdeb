"""Phrasing: numbers and names as parts of a sentence."""

from collections.abc import Sequence

#: How many digits of a hash are shown to people.
SHORT = 12
# The names that fit into one line of the run log.
_NAMED = 5


def count(number: int, thing: str, plural: str = "") -> str:
    """Return a number with its noun, such as ``1 image`` and ``1,200 images``.

    Args:
        number: The number.
        thing: The noun in the singular.
        plural: The plural; empty where it ends with an s.

    Returns:
        The phrase.
    """
    return f"{number:,} {thing if number == 1 else plural or thing + 's'}"


def list_names(names: Sequence[str]) -> str:
    """Return the first few names, and the number of the others."""
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED:,} more"


def format_figure(value: float | None) -> str:
    """Return a figure with three decimals, never as -0.000; empty where there is none."""
    return "" if value is None else f"{round(value, 3) + 0.0:.3f}"
