"""What a person should look at in a dataset version: odd pictures, and labels that the features speak against."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tasks.domain.datasets.manifest import Row
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.near_duplicates import nearest_hashes
from tasks.domain.phrasing import count

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
        (
            "too dark",
            "less light than a tenth of white",
            lambda entry: entry.properties.brightness,
            lambda x: x < _DARK,
        ),
        (
            "too bright",
            "nine tenths of white and more",
            lambda entry: entry.properties.brightness,
            lambda x: x > _BRIGHT,
        ),
        ("nearly uniform", "hardly any contrast", lambda entry: entry.properties.contrast, lambda x: x < _FLAT),
        ("blurred", "no sharp edge", lambda entry: entry.properties.sharpness, lambda x: x < _BLURRED),
        ("very long", "one side over three times the other", _ratio, lambda x: x > _LONG),
        (
            "tiny",
            f"the shorter side has less than half of the {size} pixels that the network sees",
            lambda entry: min(entry.width, entry.height),
            lambda x: 2 * x < size,
        ),
    )
    issues = [_make_issue(kind, meaning, pictures, figure, odd) for kind, meaning, figure, odd in kinds]
    return tuple(entry for entry in issues if entry.images)


def _make_issue(
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


#: The kind of finding on a data card.
ALIKE = "alike under two labels"
_MEANING = "near duplicates that are called differently: at least one label is wrong, or one picture shows both"


class Twin(NamedTuple):
    """An image, the one most like it that is marked differently, and how many bits of their hashes differ."""

    image: str
    other: str
    bits: int


class NearDuplicates(NamedTuple):
    """What is known of images' likeness: their perceptual hashes, their groups, and how many bits of two may differ.

    The groups may hold more images than these, so that two who are alike are always together.
    """

    hashes: Mapping[str, bytes]
    groups: Mapping[str, str]
    bits: int


class ImageName(NamedTuple):
    """How people know an image: its key and its label."""

    key: str
    label: str


def find_contradictions(near: NearDuplicates, marks: Mapping[str, str]) -> tuple[Twin, ...]:
    """Find for each image the nearest of its near duplicates with another mark, if there is one; the nearest first.

    The two themselves are alike: that a group holds both, through others, is not enough.

    Args:
        near: What is known of the images' likeness.
        marks: What each image is marked as, such as its label; images without a mark are passed over.
    """
    together: defaultdict[str, list[str]] = defaultdict(list)
    for image in sorted(near.hashes.keys() & marks.keys()):
        together[near.groups[image]].append(image)
    mixed = (images for images in together.values() if len({marks[image] for image in images}) > 1)
    twins = [twin for images in mixed for twin in _find_pairs(images, near, marks)]
    return tuple(sorted(twins, key=lambda twin: (twin.bits, *sorted(twin[:2]), twin.image)))


def report_contradictions(twins: Sequence[Twin], images: Mapping[str, ImageName], shown: set[str]) -> tuple[Issue, ...]:
    """Make the finding of those twins of which the first is shown; the two of a pair follow each other."""
    flagged_images = tuple(
        FlaggedImage(twin.image, *images[twin.image], f"like {images[twin.other].key}, {images[twin.other].label}")
        for twin in _side_by_side(twins)
        if twin.image in shown and twin.other in images
    )
    return (Issue(ALIKE, _MEANING, flagged_images),) if flagged_images else ()


def _side_by_side(twins: Sequence[Twin]) -> Iterator[Twin]:
    remaining = {twin.image: twin for twin in twins}
    for twin in twins:
        for image in (twin.image, twin.other):
            if image in remaining:
                yield remaining.pop(image)


def _find_pairs(images: Sequence[str], near: NearDuplicates, marks: Mapping[str, str]) -> Iterator[Twin]:
    by_mark: defaultdict[str, list[str]] = defaultdict(list)
    for image in images:
        by_mark[marks[image]].append(image)
    for mark, marked_images in by_mark.items():
        other_images = [image for image in images if marks[image] != mark]
        alike = [near.hashes[image] for image in marked_images], [near.hashes[image] for image in other_images]
        nearest, apart = nearest_hashes(*alike, near.bits)
        for image, other_index, differing in zip(marked_images, nearest.tolist(), apart.tolist(), strict=True):
            if differing <= near.bits:
                yield Twin(image, other_images[other_index], int(differing))


def count_contradictory(twins: Sequence[Twin], images: set[str]) -> int:
    """Count the images among these that have a twin."""
    return len(images.intersection(twin.image for twin in twins))


def summarize_duplicates(card: Mapping[str, Any]) -> str:
    """Say of a data card, as it is kept in JSON, how many objects are copies and how many images look like others."""
    contradictory = sum(len(finding["images"]) for finding in card["findings"] if finding["kind"] == ALIKE)
    parts = [
        f"{count(card['copies'], 'object is a copy', 'objects are copies')} of another, byte by byte",
        f"{count(card['alike'], 'image has', 'images have')} a look-alike, which shares the split",
    ]
    if contradictory:
        parts.append(f"{count(contradictory, 'image looks', 'images look')} like one under another label")
    return "; ".join(parts)
