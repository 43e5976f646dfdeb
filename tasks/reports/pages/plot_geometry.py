"""Positions on plots, in percent of the width, so that a page can draw them at any size."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, sqrt

# About how many ticks a scale has on each side of zero.
_TICKS = 2


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale from one value to another."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return the position of a value, in percent from the left; a value beyond an end lies on that end."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def beyond(self, value: float) -> bool:
        """Return whether a value is beyond an end."""
        return not self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of an axis: its position, in percent from the left, and its label."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A value with its interval, in percent from the left.

    ``cut`` says that the interval reaches beyond the scale, ``out`` that the value does.
    """

    at: float
    low: float
    high: float
    cut: bool
    out: bool


SHARES = Scale(0.0, 1.0)
SHARE_TICKS = tuple(Tick(float(at), f"{at}%") for at in (0, 25, 50, 75, 100))


def place_dot(scale: Scale, value: float, low: float, high: float) -> Dot:
    """Return the positions of a value and its interval on a scale.

    Args:
        scale: The scale.
        value: The value.
        low: Lower end of the interval.
        high: Upper end of the interval.

    Returns:
        The positions, in percent from the left.
    """
    return Dot(
        scale.at(value), scale.at(low), scale.at(high), scale.beyond(low) or scale.beyond(high), scale.beyond(value)
    )


def scale_around_zero(values: Sequence[float]) -> Scale:
    """Create a scale with zero in its middle for all of these values, from -0.01 to 0.01 at least."""
    most = max((abs(value) for value in values), default=0.0)
    limit = 1.05 * max(most, 0.01)
    return Scale(-limit, limit)


def choose_ticks(scale: Scale) -> tuple[Tick, ...]:
    """Return ticks at round values, labelled in percentage points; also below zero where the scale goes there."""
    step = _round(100 * scale.high / _TICKS)
    last = floor(100 * scale.high / step)
    return tuple(
        Tick(scale.at(step * n / 100), f"{step * n:+g}" if n else "0")
        for n in range(-last if scale.low < 0 else 0, last + 1)
    )


def _round(width: float) -> float:
    """Return the largest of …, 0.1, 0.2, 0.5, 1, 2, 5, 10, … that is at most this width."""
    unit: float = 10.0 ** floor(log10(width))
    return next(unit * times for times in (5, 2, 1) if unit * times <= width * (1 + 1e-9))


def compute_dot_radius(images: int, most: int) -> float:
    """Compute the radius of a dot whose size stands for a number of images; more images make a larger dot.

    Args:
        images: Images of the dot.
        most: Images of the largest dot.

    Returns:
        The radius in percent of the plot's width, from 1 to 4.
    """
    return round(1 + 3 * sqrt(images / max(most, 1)), 2)


def compute_bar_lengths(counts: Sequence[int]) -> list[int]:
    """Compute lengths of bars from counts, in percent of the longest."""
    most = max(counts, default=1)
    return [ceil(100 * count / most) for count in counts]
