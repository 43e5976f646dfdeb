"""Numbers and names as parts of a sentence."""

from collections.abc import Sequence

# So many names fit into one line of the diary.
_NAMED = 5


def count(number: int, thing: str, plural: str = "") -> str:
    """Write a number with its noun, such as ``1 image`` and ``1,200 images``."""
    return f"{number:,} {thing if number == 1 else plural or thing + 's'}"


def list_names(names: Sequence[str]) -> str:
    """Name the first few of many names, and count the others."""
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED:,} more"


def format_figure(value: float | None) -> str:
    """Write a figure with three places, and never as -0.000; nothing where there is none."""
    return "" if value is None else f"{round(value, 3) + 0.0:.3f}"
