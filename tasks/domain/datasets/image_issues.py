"""What a person should look at in a dataset version: odd pictures, and labels that the features speak against."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tasks.domain.datasets.manifest import Row
from tasks.domain.images.image_info import ImageInfo

# Chosen on 250 photographs of dogs, of which none is called odd, and on copies made dark, bright, blurred or flat.
_DARK, _BRIGHT, _FLAT, _BLURRED, _LONG = 0.1, 0.9, 0.03, 30.0, 3.0


@dataclass(frozen=True, slots=True)
class FlaggedImage:
    """An image that a finding is about, and the figure or the word that made it one."""

    image: str
    key: str
    label: str
    figure: str


@dataclass(frozen=True, slots=True)
class Issue:
    """One kind of finding: its name, what it means, and the images in the order in which to look at them."""

    kind: str
    meaning: str
    images: tuple[FlaggedImage, ...]


def find_odd_images(rows: Iterable[Row], image_infos: Mapping[str, ImageInfo], size: int) -> tuple[Issue, ...]:
    """Find pictures that are too dark, too bright, nearly uniform, blurred, very long, or tiny for the network."""
    pictures = [(row, image_infos[row.image]) for row in rows if row.image in image_infos]
    kinds: tuple[tuple[str, str, Callable[[ImageInfo], float], Callable[[float], bool]], ...] = (
        ("too dark", "less light than a tenth of white", lambda entry: entry.measures.brightness, lambda x: x < _DARK),
        (
            "too bright",
            "nine tenths of white and more",
            lambda entry: entry.measures.brightness,
            lambda x: x > _BRIGHT,
        ),
        ("nearly uniform", "hardly any contrast", lambda entry: entry.measures.contrast, lambda x: x < _FLAT),
        ("blurred", "no sharp edge", lambda entry: entry.measures.sharpness, lambda x: x < _BLURRED),
        ("very long", "one side over three times the other", _ratio, lambda x: x > _LONG),
        (
            "tiny",
            f"the shorter side has less than half of the {size} pixels that the network sees",
            lambda entry: min(entry.width, entry.height),
            lambda x: 2 * x < size,
        ),
    )
    issues = [_issue(kind, meaning, pictures, figure, odd) for kind, meaning, figure, odd in kinds]
    return tuple(entry for entry in issues if entry.images)


def _issue(
    kind: str,
    meaning: str,
    pictures: Iterable[tuple[Row, ImageInfo]],
    figure: Callable[[ImageInfo], float],
    odd: Callable[[float], bool],
) -> Issue:
    figures = sorted((figure(info), row.key, row) for row, info in pictures if odd(figure(info)))
    return Issue(
        kind, meaning, tuple(FlaggedImage(row.image, row.key, row.label, f"{value:.3g}") for value, _, row in figures)
    )


def _ratio(info: ImageInfo) -> float:
    return max(info.width, info.height) / min(info.width, info.height)
