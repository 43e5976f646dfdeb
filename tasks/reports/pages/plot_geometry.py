"""Where things lie on a plot, in percent of its width, so that a page draws it at any size and in its own colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, sqrt

# A scale has about so many ticks on each side of nought.
_TICKS = 2


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from one value to another."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Place a value, in percent from the left; what is beyond an end lies on it."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def beyond(self, value: float) -> bool:
        """Tell whether a value is outside."""
        return not self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, in percent from the left, and what is written there."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A value with its interval, in percent from the left; ``cut`` and ``out`` where interval or value are beyond."""

    at: float
    low: float
    high: float
    cut: bool
    out: bool


SHARES = Scale(0.0, 1.0)
SHARE_TICKS = tuple(Tick(float(at), f"{at}%") for at in (0, 25, 50, 75, 100))


def place_dot(scale: Scale, value: float, low: float, high: float) -> Dot:
    """Place a value and its interval on a scale."""
    return Dot(
        scale.at(value), scale.at(low), scale.at(high), scale.beyond(low) or scale.beyond(high), scale.beyond(value)
    )


def scale_around_zero(values: Sequence[float]) -> Scale:
    """Make a scale with nought in its middle that holds all of these values, and never a very fine one."""
    most = max((abs(value) for value in values), default=0.0)
    limit = 1.05 * max(most, 0.01)
    return Scale(-limit, limit)


def choose_ticks(scale: Scale) -> tuple[Tick, ...]:
    """Choose round values from nought on, also below it where the scale has that, in points: hundredths."""
    step = _round(100 * scale.high / _TICKS)
    last = floor(100 * scale.high / step)
    return tuple(
        Tick(scale.at(step * n / 100), f"{step * n:+g}" if n else "0")
        for n in range(-last if scale.low < 0 else 0, last + 1)
    )


def _round(width: float) -> float:
    """Take the largest of 1, 2, 5, 10, … that is not above a width; of a width below 1 tenths of these."""
    unit: float = 10.0 ** floor(log10(width))
    return next(unit * times for times in (5, 2, 1) if unit * times <= width * (1 + 1e-9))


def compute_dot_radius(images: int, most: int) -> float:
    """Give a dot's radius, in hundredths of a plot's width, for so many images: its area grows with them."""
    return round(1 + 3 * sqrt(images / max(most, 1)), 2)


def compute_bar_lengths(counts: Sequence[int]) -> list[int]:
    """Turn counts into lengths of bars, in percent of the longest."""
    most = max(counts, default=1)
    return [ceil(100 * count / most) for count in counts]
