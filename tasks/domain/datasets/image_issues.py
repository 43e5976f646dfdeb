"""Image issues: odd pictures and near duplicates under different labels, which a person should look at."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.manifest import Row
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.near_duplicates import HASH_BYTES, MIRROR, OUTLINE_BITS, pack_outlines
from tasks.domain.phrasing import count

# Hashes compared at once, which takes about 100 MB of memory.
_PAIRS_AT_ONCE = 1 << 20
# Limits chosen on 250 photographs of dogs, none of which is flagged, and on darkened, brightened, blurred and flattened
# copies of them.
_DARK, _BRIGHT, _FLAT, _BLURRED, _LONG = 0.1, 0.9, 0.03, 30.0, 3.0
#: The kind of issue on a data card: near duplicates with different labels.
ALIKE = "alike under two labels"
_MEANING = "near duplicates that are called differently: at least one label is wrong, or one picture shows both"


@dataclass(frozen=True, slots=True)
class FlaggedImage:
    """An image that an issue is about.

    Attributes:
        image: The SHA-256 of its bytes.
        key: Where it was found in the source.
        label: Its label.
        figure: The measured value, or the words, for which it was flagged.
    """

    image: str
    key: str
    label: str
    figure: str


@dataclass(frozen=True, slots=True)
class Issue:
    """All images with one kind of issue.

    Attributes:
        kind: The name of the issue.
        meaning: What it means, for people.
        images: The images, most conspicuous first.
    """

    kind: str
    meaning: str
    images: tuple[FlaggedImage, ...]


def find_odd_images(rows: Iterable[Row], image_infos: Mapping[str, ImageInfo], size: int) -> tuple[Issue, ...]:
    """Find pictures that are too dark, too bright, nearly uniform, blurred, very long, or tiny for the network.

    Args:
        rows: The version's rows.
        image_infos: What was measured of each image.
        size: The side of the model input, in pixels.

    Returns:
        The issues that have images.
    """
    pictures = [(row, image_infos[row.image]) for row in rows if row.image in image_infos]
    issues = [_run_check(check, pictures) for check in _checks(size)]
    return tuple(issue for issue in issues if issue.images)


class _Check(NamedTuple):
    """One kind of odd picture: its name and meaning, the measured figure, and which figures are odd."""

    kind: str
    meaning: str
    figure: Callable[[ImageInfo], float]
    is_odd: Callable[[float], bool]


def _checks(size: int) -> tuple[_Check, ...]:
    small = f"the shorter side has less than half of the {size} pixels that the network sees"
    return (
        _Check("too dark", "less light than a tenth of white", _brightness, lambda figure: figure < _DARK),
        _Check("too bright", "nine tenths of white and more", _brightness, lambda figure: figure > _BRIGHT),
        _Check("nearly uniform", "hardly any contrast", lambda info: info.properties.contrast, lambda x: x < _FLAT),
        _Check("blurred", "no sharp edge", lambda info: info.properties.sharpness, lambda figure: figure < _BLURRED),
        _Check("very long", "one side over three times the other", _ratio, lambda figure: figure > _LONG),
        _Check("tiny", small, lambda info: min(info.width, info.height), lambda figure: 2 * figure < size),
    )


def _run_check(check: _Check, pictures: Iterable[tuple[Row, ImageInfo]]) -> Issue:
    figures = sorted((check.figure(info), row.key, row) for row, info in pictures if check.is_odd(check.figure(info)))
    images = tuple(FlaggedImage(row.image, row.key, row.label, f"{figure:.3g}") for figure, _, row in figures)
    return Issue(check.kind, check.meaning, images)


def _brightness(info: ImageInfo) -> float:
    return info.properties.brightness


def _ratio(info: ImageInfo) -> float:
    return max(info.width, info.height) / min(info.width, info.height)


class Twin(NamedTuple):
    """An image and its nearest near duplicate with another mark.

    Attributes:
        image: The image.
        other: Its near duplicate.
        bits: In how many bits their perceptual hashes differ.
    """

    image: str
    other: str
    bits: int


class NearDuplicates(NamedTuple):
    """The near-duplicate groups of images and what they are computed from.

    Attributes:
        hashes: The perceptual hash of each image.
        groups: The near-duplicate group of each image; it may cover more images than ``hashes``.
        bits: How many of the 256 bits of two hashes may differ.
    """

    hashes: Mapping[str, bytes]
    groups: Mapping[str, str]
    bits: int


class ImageName(NamedTuple):
    """How people know an image: its key and its label."""

    key: str
    label: str


def find_contradictions(near: NearDuplicates, marks: Mapping[str, str]) -> tuple[Twin, ...]:
    """Find for each image the nearest of its near duplicates that has another mark.

    The two images themselves look alike; being in one group through other images is not enough.

    Args:
        near: The near-duplicate groups.
        marks: The mark of each image, such as its label; images without a mark are skipped.

    Returns:
        A pair for each image that has such a near duplicate, the most similar first.
    """
    together: defaultdict[str, list[str]] = defaultdict(list)
    # Most images are alone, and need not even be sorted.
    shared = {group for group, members in Counter(near.groups.values()).items() if members > 1}
    for image in sorted(image for image in near.hashes.keys() & marks.keys() if near.groups[image] in shared):
        together[near.groups[image]].append(image)
    mixed = (images for images in together.values() if len({marks[image] for image in images}) > 1)
    twins = [twin for images in mixed for twin in _find_pairs(images, near, marks)]
    return tuple(sorted(twins, key=lambda twin: (twin.bits, *sorted(twin[:2]), twin.image)))


def report_contradictions(twins: Sequence[Twin], images: Mapping[str, ImageName], shown: set[str]) -> tuple[Issue, ...]:
    """Build the issue of contradictory near duplicates for a data card.

    Args:
        twins: The pairs, most similar first.
        images: Key and label of each image.
        shown: The images that are shown on the card.

    Returns:
        The issue, with the two images of a pair side by side; empty where no image is shown.
    """
    flagged_images = []
    for twin in _side_by_side(twins):
        if twin.image in shown and twin.other in images:
            name, other = images[twin.image], images[twin.other]
            flagged_images.append(FlaggedImage(twin.image, name.key, name.label, f"like {other.key}, {other.label}"))
    return (Issue(ALIKE, _MEANING, tuple(flagged_images)),) if flagged_images else ()


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


def nearest_hashes(
    hashes: Sequence[bytes], other_hashes: Sequence[bytes], bits: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find for each hash the most similar one among others, and in how many bits the two differ.

    Args:
        hashes: n hashes of 32 bytes.
        other_hashes: m hashes of 32 bytes; each is compared as it is and mirrored.
        bits: How many bits may differ between two that look alike, as in ``group_near_duplicates``.

    Returns:
        Indices into ``other_hashes`` and numbers of differing bits, each of shape (n,). The number exceeds ``bits``
        where no other hash is alike.
    """
    query_hashes = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES)
    upright = np.frombuffer(b"".join(other_hashes), np.uint8).reshape(-1, HASH_BYTES)
    oriented_hashes = np.concatenate([upright, upright ^ MIRROR])
    words, outlines = oriented_hashes.view(np.uint64), pack_outlines(oriented_hashes)
    places, apart = np.empty(len(query_hashes), np.intp), np.empty(len(query_hashes), np.intp)
    for start in range(0, len(query_hashes), step := max(1, _PAIRS_AT_ONCE // len(oriented_hashes))):
        rows = query_hashes[start : start + step]
        differing = np.bitwise_count(rows.view(np.uint64)[:, None] ^ words[None]).sum(axis=2, dtype=np.intp)
        differing[np.bitwise_count(pack_outlines(rows)[:, None] ^ outlines[None]) > OUTLINE_BITS] = bits + 1
        best = differing.argmin(axis=1)
        places[start : start + step] = best % len(upright)
        apart[start : start + step] = differing[np.arange(len(rows)), best]
    return places, apart


def count_contradictory(twins: Sequence[Twin], images: set[str]) -> int:
    """Count the images that have a contradictory near duplicate.

    Args:
        twins: The pairs.
        images: The images that are counted.

    Returns:
        How many of the images are the first of a pair.
    """
    return len(images.intersection(twin.image for twin in twins))


def summarize_duplicates(card: Mapping[str, Any]) -> str:
    """Say how many objects are copies and how many images have look-alikes, from a data card as stored in JSON."""
    contradictory = sum(len(finding["images"]) for finding in card["findings"] if finding["kind"] == ALIKE)
    parts = [
        f"{count(card['copies'], 'object is a copy', 'objects are copies')} of another, byte by byte",
        f"{count(card['alike'], 'image has', 'images have')} a look-alike, which shares the split",
    ]
    if contradictory:
        parts.append(f"{count(contradictory, 'image looks', 'images look')} like one under another label")
    return "; ".join(parts)
