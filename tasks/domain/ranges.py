"""Classes seen in a narrow range of brightness or tone, where the other classes are not: what nobody has brought."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.domain.examination import Examined
from tasks.domain.manifest import Row
from tasks.domain.quality import Measures
from tasks.domain.splits import Split
from tasks.domain.wording import count

# A range that leaves out such a share of the other classes' images is worth a word, unless chance would narrow the
# range of one class in any dataset of the same classes as often as this.
_WORTH, _CHANCE = 0.25, 0.05
# At each end of a class's range so many of its images are not counted, so that a few strays do not hide a gap.
_STRAYS = 0.02
# Where one end of the range leaves out so many times what the other does, only that end is told.
_ONE_END = 3
# So many classes are named in warnings; the card lists all of them.
_NAMED = 5
_WORDS = {
    "brightness": "a brightness of",
    "tone": "a middle whose tone is",
    "surroundings": "surroundings whose tone is",
}


@dataclass(frozen=True, slots=True)
class Narrow:
    """A class whose images lie between two values of a measure, but for some strays at each end.

    ``darker`` and ``lighter`` are the shares of the other classes' images that lie below and above.
    """

    label: str
    measure: str
    images: int
    low: float
    high: float
    darker: float
    lighter: float

    @property
    def outside(self) -> float:
        """Return the share of the other classes' images that lie outside of the range."""
        return self.darker + self.lighter

    @property
    def unseen(self) -> Literal["darker", "lighter", "darker and lighter"]:
        """Name the photographs that the class lacks."""
        if self.lighter >= _ONE_END * self.darker:
            return "lighter"
        return "darker" if self.darker >= _ONE_END * self.lighter else "darker and lighter"

    @property
    def why(self) -> str:
        """Say what the class's images have in common, and the others have not."""
        return (
            f"nearly all of its {count(self.images, 'image')} have {_WORDS[self.measure]} {self.low:.2f} to "
            f"{self.high:.2f} (1 is white), {self.outside:.0%} of the other classes' images have not"
        )

    def __str__(self) -> str:
        """Say it as a warning."""
        return f"{self.label} is not seen in {self.unseen} photographs: {self.why}"


def narrow_ranges(rows: Iterable[Row], examined: Mapping[str, Examined]) -> tuple[Narrow, ...]:
    """Find the classes that cover little of what the others cover, the narrowest first, each by one measure.

    If a class were photographed like all others, as many of their images as chance puts there would lie outside of the
    range from the k-th smallest to the k-th largest of its n values: BetaBinomial(others, 2k, n + 1 - 2k) (Wilks,
    "Statistical prediction with special reference to the problem of tolerance limits", Annals of Mathematical
    Statistics 1942). Of all classes and measures together one is named by chance in at most one dataset in twenty.

    Args:
        rows: The version's images; those that are held out do not count.
        examined: What was measured of each image.
    """
    used = [row for row in rows if row.split is not Split.HELD_OUT and row.image in examined]
    labels, truth = np.unique([row.label for row in used], return_inverse=True)
    values = {name: _values(name, [examined[row.image].measures for row in used]) for name in _WORDS}
    candidates = [
        narrow
        for place, label in enumerate(labels.tolist())
        for name in _WORDS
        if (narrow := _range(label, name, values[name], truth == place))
        and _beyond_chance(narrow, len(used) - narrow.images, len(labels))
        and _of_most(narrow, values[name], truth, place)
    ]
    narrowest: dict[str, Narrow] = {}
    for narrow in sorted(candidates, key=lambda narrow: (-narrow.outside, narrow.high - narrow.low)):
        narrowest.setdefault(narrow.label, narrow)
    return tuple(narrowest.values())


def range_warnings(narrow: Sequence[Narrow]) -> list[str]:
    """Say which classes are narrow, the first few of them."""
    more = len(narrow) - _NAMED
    return [
        *map(str, narrow[:_NAMED]),
        *([f"{count(more, 'more class', 'more classes')} have narrow ranges"] if more > 0 else []),
    ]


def _values(name: str, measures: Sequence[Measures]) -> NDArray[np.float64]:
    """Take a measure of each image: (n,); the middle that ``tone`` is measured of is a quarter of the picture."""
    brightness, tone = (
        np.array([getattr(one, kind) for one in measures], np.float64) for kind in ("brightness", "tone")
    )
    return {"brightness": brightness, "tone": tone, "surroundings": (4 * brightness - tone) / 3}[name]


def _range(label: str, measure: str, values: NDArray[np.float64], own: NDArray[np.bool_]) -> Narrow | None:
    ordered, others = np.sort(values[own]), values[~own]
    strays = _strays(len(ordered))
    if len(ordered) < 2 * (strays + 1) or not len(others):
        return None
    low, high = float(ordered[strays]), float(ordered[-1 - strays])
    return Narrow(label, measure, len(ordered), low, high, float((others < low).mean()), float((others > high).mean()))


def _beyond_chance(narrow: Narrow, others: int, classes: int) -> bool:
    if narrow.outside < _WORTH:
        return False
    from scipy.stats import betabinom

    ends = 2 * (_strays(narrow.images) + 1)
    chance = betabinom.sf(round(narrow.outside * others) - 1, others, ends, narrow.images + 1 - ends)
    return bool(chance * classes * len(_WORDS) <= _CHANCE)


def _of_most(narrow: Narrow, values: NDArray[np.float64], truth: NDArray[np.int64], place: int) -> bool:
    """Tell whether most other classes lie outside, and not a single odd one that is itself the narrow class."""
    outside = (values < narrow.low) | (values > narrow.high)
    shares = np.delete(np.bincount(truth, outside) / np.bincount(truth), place)
    return bool(np.sort(shares)[(len(shares) - 1) // 2] >= _WORTH / 2)


def _strays(images: int) -> int:
    return int(_STRAYS * images)
