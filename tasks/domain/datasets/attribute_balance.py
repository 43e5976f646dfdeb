"""Attribute balance: how the values of attributes, and brightness and tone, are distributed over the classes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.labels.attributes import Attributes
from tasks.domain.phrasing import count

#: The value that is counted for images without the attribute.
UNKNOWN = "not known"
# A class with a single value is reported if at most this share of the other images has it, and from this size on.
_MAX_OTHER_SHARE, _MIN_IMAGES = 0.5, 10
# A value is lacking if at least this many images with it are expected; one class in twenty then has none by chance.
_MIN_EXPECTED = 3
# A range is reported if at least this share of the other classes' images lies outside of it, and if the probability
# that some class has such a range by chance is at most the significance level.
_MIN_OUTSIDE, _SIGNIFICANCE = 0.25, 0.05
# This share of a class's images is trimmed at each end of its range, so that a few outliers do not hide a gap.
_TRIMMED_SHARE = 0.02
# If this many times more images lie beyond one end of the range than beyond the other, only that end is reported.
_ONE_SIDED_RATIO = 3
# How many classes are named in warnings; the data card lists all of them.
_MAX_WARNINGS = 5
_PHRASES = {
    "brightness": "a brightness of",
    "tone": "a middle whose tone is",
    "surroundings": "surroundings whose tone is",
}


@dataclass(frozen=True, slots=True)
class ClassBalance:
    """One attribute in one class, compared with all other classes together.

    Attributes:
        label: The class.
        counts: The number of images by value.
        shares: The share of images by value, from 0 to 1.
        lacking: Values that no image of the class has, though at least three should by the share in the other classes.
        distance: The total variation distance from the other classes: half the sum of the absolute differences of the
            shares, from 0 (the same mixture) to 1 (nothing in common).
    """

    label: str
    counts: Mapping[str, int]
    shares: Mapping[str, float]
    lacking: tuple[str, ...]
    distance: float


@dataclass(frozen=True, slots=True)
class Balance:
    """One attribute over all classes.

    Attributes:
        attribute: The name of the attribute.
        origins: The sources that it comes from, such as folder or picture.
        values: All its values, sorted; ``UNKNOWN`` is last.
        classes: Its balance in each class.
    """

    attribute: str
    origins: tuple[str, ...]
    values: tuple[str, ...]
    classes: tuple[ClassBalance, ...]


def compute_balances(
    rows: Sequence[Row], attributes: Mapping[str, Attributes], origins: Mapping[str, Iterable[str]]
) -> tuple[Balance, ...]:
    """Compute the balance of every attribute.

    Args:
        rows: The images of the dataset version.
        attributes: The attributes of each image.
        origins: The sources of each attribute.

    Returns:
        The balances, sorted by the attribute's name.
    """
    names = sorted({name for row in rows for name, _ in attributes.get(row.image, ())})
    return tuple(_compute_balance(name, rows, attributes, tuple(sorted(set(origins.get(name, ()))))) for name in names)


def list_balance_warnings(attribute_balances: Sequence[Balance]) -> list[str]:
    """List a warning for each class that has a single value of an attribute that varies in the other classes."""
    return [
        f"all {sum(class_balance.counts.values()):,} images of {class_balance.label} have {balance.attribute}={value}, "
        f"of the other classes {_share_in_other_classes(balance, class_balance, value):.0%}"
        for balance in attribute_balances
        for class_balance in balance.classes
        for value in class_balance.counts
        if class_balance.shares[value] == 1
        and value != UNKNOWN
        and sum(class_balance.counts.values()) >= _MIN_IMAGES
        and _share_in_other_classes(balance, class_balance, value) <= _MAX_OTHER_SHARE
    ]


def _compute_balance(
    name: str, rows: Sequence[Row], attributes: Mapping[str, Attributes], origins: tuple[str, ...]
) -> Balance:
    counts: dict[str, Counter[str]] = {label: Counter() for label in sorted({row.label for row in rows})}
    for row in rows:
        counts[row.label][dict(attributes.get(row.image, ())).get(name, UNKNOWN)] += 1
    values = sorted(
        {value for counter in counts.values() for value in counter},
        key=lambda attribute_value: (attribute_value == UNKNOWN, attribute_value),
    )
    total = sum(counts.values(), Counter[str]())
    return Balance(
        attribute=name,
        origins=origins,
        values=tuple(values),
        classes=tuple(
            ClassBalance(
                label=label,
                counts=dict(sorted(class_counts.items())),
                shares=_shares(class_counts, values),
                lacking=_lacking_values(class_counts, total - class_counts),
                distance=_distance(class_counts, total - class_counts, values),
            )
            for label, class_counts in counts.items()
        ),
    )


def _shares(counts: Counter[str], values: Iterable[str]) -> dict[str, float]:
    total = counts.total() or 1
    return {value: round(counts[value] / total, 4) for value in values}


def _lacking_values(class_counts: Counter[str], other_counts: Counter[str]) -> tuple[str, ...]:
    expected = {
        value: class_counts.total() * count / other_counts.total() for value, count in sorted(other_counts.items())
    }
    return tuple(
        value
        for value, images in expected.items()
        if images >= _MIN_EXPECTED and not class_counts[value] and value != UNKNOWN
    )


def _distance(class_counts: Counter[str], other_counts: Counter[str], values: Sequence[str]) -> float:
    if not (class_counts and other_counts):
        return 0.0
    class_shares, other_shares = _shares(class_counts, values), _shares(other_counts, values)
    return round(sum(abs(class_shares[value] - other_shares[value]) for value in values) / 2, 4)


def _share_in_other_classes(balance: Balance, class_balance: ClassBalance, value: str) -> float:
    """Return the share of a value in all classes but one."""
    rest = [other for other in balance.classes if other.label != class_balance.label]
    images = sum(sum(other.counts.values()) for other in rest)
    return sum(other.counts.get(value, 0) for other in rest) / images if images else 1.0


@dataclass(frozen=True, slots=True)
class NarrowRange:
    """A class whose images lie in a narrow range of a measure, except for a few outliers at each end.

    Attributes:
        label: The class.
        measure: The measure: brightness, tone or surroundings.
        images: How many images the class has.
        low: The lower end of the range, from 0 (black) to 1 (white).
        high: The upper end of the range.
        darker: The share of the other classes' images below the range.
        lighter: The share of the other classes' images above it.
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
        """The share of the other classes' images outside of the range, from 0 to 1."""
        return self.darker + self.lighter

    @property
    def unseen(self) -> Literal["darker", "lighter", "darker and lighter"]:
        """The photographs that the class lacks."""
        if self.lighter >= _ONE_SIDED_RATIO * self.darker:
            return "lighter"
        return "darker" if self.darker >= _ONE_SIDED_RATIO * self.lighter else "darker and lighter"

    @property
    def why(self) -> str:
        """What the images of the class have in common and those of other classes do not, as a clause."""
        return (
            f"nearly all of its {count(self.images, 'image')} have {_PHRASES[self.measure]} {self.low:.2f} to "
            f"{self.high:.2f} (1 is white), {self.outside:.0%} of the other classes' images have not"
        )

    def __str__(self) -> str:
        """Return the warning."""
        return f"{self.label} is not seen in {self.unseen} photographs: {self.why}"


def find_narrow_ranges(rows: Iterable[Row], image_infos: Mapping[str, ImageInfo]) -> tuple[NarrowRange, ...]:
    """Find the classes whose images cover only a small part of the range that the other classes cover.

    If a class were photographed like the others, the number of other images outside of the range from the k-th smallest
    to the k-th largest of its n values would be distributed as BetaBinomial(n_others, 2k, n + 1 - 2k). A Bonferroni
    correction over classes and measures keeps the probability of any false warning in a dataset at 5%.

    Source: Wilks, 1942, "Statistical prediction with special reference to the problem of tolerance limits", Annals of
    Mathematical Statistics.

    Args:
        rows: The images of the dataset version; held-out images do not count.
        image_infos: What was measured of each image.

    Returns:
        One range for each such class, the narrowest first.
    """
    used = [row for row in rows if row.split is not Split.HELD_OUT and row.image in image_infos]
    labels, truth = np.unique([row.label for row in used], return_inverse=True)
    values = {name: _measured_values(name, [image_infos[row.image].properties for row in used]) for name in _PHRASES}
    candidates = [
        narrow
        for class_index, label in enumerate(labels.tolist())
        for name in _PHRASES
        if (narrow := _find_range(label, name, values[name], truth == class_index))
        and _beyond_chance(narrow, len(used) - narrow.images, len(labels))
        and _most_classes_outside(narrow, values[name], truth, class_index)
    ]
    narrowest: dict[str, NarrowRange] = {}
    for narrow in sorted(candidates, key=lambda narrow: (-narrow.outside, narrow.high - narrow.low)):
        narrowest.setdefault(narrow.label, narrow)
    return tuple(narrowest.values())


def list_range_warnings(narrow: Sequence[NarrowRange]) -> list[str]:
    """List a warning for each of the first few narrow classes, and one that counts the others."""
    more = len(narrow) - _MAX_WARNINGS
    return [
        *map(str, narrow[:_MAX_WARNINGS]),
        *([f"{count(more, 'more class', 'more classes')} have narrow ranges"] if more > 0 else []),
    ]


def _measured_values(name: str, measures: Sequence[ImageProperties]) -> NDArray[np.float64]:
    """Return a measure of each image, (n_images,); surroundings are the brightness outside of the middle quarter."""
    brightness, tone = (
        np.array([getattr(measurement, kind) for measurement in measures], np.float64)
        for kind in ("brightness", "tone")
    )
    return {"brightness": brightness, "tone": tone, "surroundings": (4 * brightness - tone) / 3}[name]


def _find_range(
    label: str, measure: str, values: NDArray[np.float64], in_class: NDArray[np.bool_]
) -> NarrowRange | None:
    ordered, other_values = np.sort(values[in_class]), values[~in_class]
    strays = _count_trimmed(len(ordered))
    if len(ordered) < 2 * (strays + 1) or not len(other_values):
        return None
    low, high = float(ordered[strays]), float(ordered[-1 - strays])
    return NarrowRange(
        label, measure, len(ordered), low, high, float((other_values < low).mean()), float((other_values > high).mean())
    )


def _beyond_chance(narrow: NarrowRange, other_images: int, classes: int) -> bool:
    if narrow.outside < _MIN_OUTSIDE:
        return False
    from scipy.stats import betabinom

    ends = 2 * (_count_trimmed(narrow.images) + 1)
    chance = betabinom.sf(round(narrow.outside * other_images) - 1, other_images, ends, narrow.images + 1 - ends)
    return bool(chance * classes * len(_PHRASES) <= _SIGNIFICANCE)


def _most_classes_outside(
    narrow: NarrowRange, values: NDArray[np.float64], truth: NDArray[np.int64], class_index: int
) -> bool:
    """Check that images of most other classes lie outside; if one class causes them all, that class is the odd one."""
    outside = (values < narrow.low) | (values > narrow.high)
    shares = np.delete(np.bincount(truth, outside) / np.bincount(truth), class_index)
    return bool(np.sort(shares)[(len(shares) - 1) // 2] >= _MIN_OUTSIDE / 2)


def _count_trimmed(images: int) -> int:
    return int(_TRIMMED_SHARE * images)
