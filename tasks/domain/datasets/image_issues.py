"""What a person should look at in a dataset version: odd pictures, and labels that the features speak against."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tasks.domain.datasets.manifest import Row
from tasks.domain.images.image_info import Examined

# Chosen on 250 photographs of dogs, of which none is called odd, and on copies made dark, bright, blurred or flat.
_DARK, _BRIGHT, _FLAT, _BLURRED, _LONG = 0.1, 0.9, 0.03, 30.0, 3.0


@dataclass(frozen=True, slots=True)
class Found:
    """An image that a finding is about, and the figure or the word that made it one."""

    image: str
    key: str
    label: str
    figure: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of finding: its name, what it means, and the images in the order in which to look at them."""

    kind: str
    meaning: str
    images: tuple[Found, ...]


def odd_pictures(rows: Iterable[Row], examined: Mapping[str, Examined], size: int) -> tuple[Finding, ...]:
    """Find pictures that are too dark, too bright, nearly uniform, blurred, very long, or tiny for the network."""
    pictures = [(row, examined[row.image]) for row in rows if row.image in examined]
    kinds: tuple[tuple[str, str, Callable[[Examined], float], Callable[[float], bool]], ...] = (
        ("too dark", "less light than a tenth of white", lambda one: one.measures.brightness, lambda x: x < _DARK),
        (
            "too bright",
            "nine tenths of white and more",
            lambda one: one.measures.brightness,
            lambda x: x > _BRIGHT,
        ),
        ("nearly uniform", "hardly any contrast", lambda one: one.measures.contrast, lambda x: x < _FLAT),
        ("blurred", "no sharp edge", lambda one: one.measures.sharpness, lambda x: x < _BLURRED),
        ("very long", "one side over three times the other", _ratio, lambda x: x > _LONG),
        (
            "tiny",
            f"the shorter side has less than half of the {size} pixels that the network sees",
            lambda one: min(one.width, one.height),
            lambda x: 2 * x < size,
        ),
    )
    found = [_finding(kind, meaning, pictures, figure, odd) for kind, meaning, figure, odd in kinds]
    return tuple(one for one in found if one.images)


def _finding(
    kind: str,
    meaning: str,
    pictures: Iterable[tuple[Row, Examined]],
    figure: Callable[[Examined], float],
    odd: Callable[[float], bool],
) -> Finding:
    figures = sorted((figure(one), row.key, row) for row, one in pictures if odd(figure(one)))
    return Finding(
        kind, meaning, tuple(Found(row.image, row.key, row.label, f"{value:.3g}") for value, _, row in figures)
    )


def _ratio(one: Examined) -> float:
    return max(one.width, one.height) / min(one.width, one.height)
