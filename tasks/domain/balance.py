"""How attributes are spread over classes: the shares of each value, and how far a class is from the others."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tasks.domain.labels import Attributes
from tasks.domain.manifest import Row

#: What is counted for images of which nobody says the attribute.
UNKNOWN = "not known"
# A class of so many images that has one value only is worth a word when at most so much of the others has it.
_USUAL, _ENOUGH = 0.5, 10
# Where the other classes' share lets so many images of a class be expected, one class in twenty has none by chance.
_EXPECTED = 3


@dataclass(frozen=True, slots=True)
class ClassBalance:
    """One class and one attribute: images by value, their shares, and the distance from all other classes together.

    Lacking are values that none of its images has, though by the share of the other classes at least three should. The
    distance is the total variation distance: half the sum of the absolute differences of the shares, from 0 (the
    same mixture) to 1 (nothing in common).
    """

    label: str
    counts: Mapping[str, int]
    shares: Mapping[str, float]
    lacking: tuple[str, ...]
    distance: float


@dataclass(frozen=True, slots=True)
class Balance:
    """One attribute over all classes; origins say who wrote it down, or that it was read from the picture."""

    attribute: str
    origins: tuple[str, ...]
    values: tuple[str, ...]
    classes: tuple[ClassBalance, ...]


def balances(
    rows: Sequence[Row], told: Mapping[str, Attributes], origins: Mapping[str, Iterable[str]]
) -> tuple[Balance, ...]:
    """Count every attribute by class; ``told`` holds each image's attributes, ``origins`` where each is from."""
    names = sorted({name for row in rows for name, _ in told.get(row.image, ())})
    return tuple(_balance(name, rows, told, tuple(sorted(set(origins.get(name, ()))))) for name in names)


def warnings_of(found: Sequence[Balance]) -> list[str]:
    """Say which classes know only one value of an attribute that the other classes mix."""
    return [
        f"all {sum(one.counts.values()):,} images of {one.label} have {balance.attribute}={value}, "
        f"of the other classes {_others(balance, one, value):.0%}"
        for balance in found
        for one in balance.classes
        for value in one.counts
        if one.shares[value] == 1
        and value != UNKNOWN
        and sum(one.counts.values()) >= _ENOUGH
        and _others(balance, one, value) <= _USUAL
    ]


def _balance(name: str, rows: Sequence[Row], told: Mapping[str, Attributes], origins: tuple[str, ...]) -> Balance:
    counts: dict[str, Counter[str]] = {label: Counter() for label in sorted({row.label for row in rows})}
    for row in rows:
        counts[row.label][dict(told.get(row.image, ())).get(name, UNKNOWN)] += 1
    values = sorted({value for counter in counts.values() for value in counter}, key=lambda one: (one == UNKNOWN, one))
    total = sum(counts.values(), Counter[str]())
    return Balance(
        attribute=name,
        origins=origins,
        values=tuple(values),
        classes=tuple(
            ClassBalance(
                label=label,
                counts=dict(sorted(own.items())),
                shares=_shares(own, values),
                lacking=_lacking(own, total - own),
                distance=_distance(own, total - own, values),
            )
            for label, own in counts.items()
        ),
    )


def _shares(counts: Counter[str], values: Iterable[str]) -> dict[str, float]:
    total = counts.total() or 1
    return {value: round(counts[value] / total, 4) for value in values}


def _lacking(own: Counter[str], others: Counter[str]) -> tuple[str, ...]:
    expected = {value: own.total() * count / others.total() for value, count in sorted(others.items())}
    return tuple(
        value for value, images in expected.items() if images >= _EXPECTED and not own[value] and value != UNKNOWN
    )


def _distance(own: Counter[str], others: Counter[str], values: Sequence[str]) -> float:
    if not (own and others):
        return 0.0
    mine, theirs = _shares(own, values), _shares(others, values)
    return round(sum(abs(mine[value] - theirs[value]) for value in values) / 2, 4)


def _others(balance: Balance, own: ClassBalance, value: str) -> float:
    """Give the share of a value in all classes but one."""
    rest = [one for one in balance.classes if one.label != own.label]
    images = sum(sum(one.counts.values()) for one in rest)
    return sum(one.counts.get(value, 0) for one in rest) / images if images else 1.0
