"""Crops that are found, different pictures that are taken for one, and what classes of ten photographs get."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from configs.schema import Dataset
from tasks.domain.datasets.splits import Assignment, Shares, Split, assign_splits
from tasks.domain.images.crops import hash_parts, middle_hash
from tasks.domain.images.near_duplicates import group_near_duplicates, hash_levels, to_grey_levels
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tests.benchmarks.near_duplicates import cropped, encoded, on_white
from tests.benchmarks.photographs.collection import Collection, opened
from tests.tasks.domain.picture_hashes import group_with_crops

_BITS = Dataset().near_duplicate_bits
_SHARES = Shares(Dataset().test_percent, Dataset().validation_percent)
_DRAWN, _SEED, _DOGS = 400, 0, 120
_CLASSES, _TEN, _REDRAWN = 25, 10, 200
_HELD_BACK = (Split.TEST, Split.VALIDATION)
#: Per cent cut off at the left, top, right and bottom border.
_CROPS = {
    "2% at each border": (2, 2, 2, 2),
    "5% at each border": (5, 5, 5, 5),
    "7% at each border": (7, 7, 7, 7),
    "10% at each border": (10, 10, 10, 10),
    "10% at the left alone": (10, 0, 0, 0),
    "2, 9, 6 and 4% at left, top, right and bottom": (2, 9, 6, 4),
}


@dataclass(frozen=True)
class _Hashed:
    """Pictures by what is stored of each: the hash of the whole, and the hashes of its parts."""

    hashes: Mapping[str, bytes]
    parts: Mapping[str, bytes]

    @cached_property
    def by_the_whole(self) -> dict[str, str]:
        return group_near_duplicates(self.hashes, _BITS)

    def with_crops(self, new: Sequence[str]) -> dict[str, str]:
        middles = {name: middle_hash(parts) for name, parts in self.parts.items()}
        return group_with_crops(self.hashes, middles, [[(name, self.parts[name]) for name in new]], _BITS)


def print_splits(monkeys: Collection, dogs: Collection) -> None:
    """Print how many crops share their original's group, how many different pictures do, and small classes' splits."""
    _print_crops(monkeys, dogs)
    _print_different(monkeys, dogs)
    _print_small(dogs)


def _print_crops(monkeys: Collection, dogs: Collection) -> None:
    chosen = np.sort(np.random.default_rng(_SEED).choice(len(monkeys.files), _DRAWN, replace=False))
    files = {"dogs": dogs.files, "monkeys": [monkeys.files[index] for index in chosen]}
    originals = {name: _hashed(paths, lambda picture: picture) for name, paths in files.items()}
    print(
        f"Each photograph is cropped and saved as JPEG of quality 75: {len(dogs.files)} dogs, {_DRAWN} monkeys drawn by"
        f" seed {_SEED}.\nShare of crops in their original's group, by the hash of the whole alone and as a run"
        " groups them\n"
    )
    print(
        "| cut off | photographs | by the whole | crop arrives later | crop arrives first |\n|---|---|---:|---:|---:|"
    )
    for kind, border in [*_CROPS.items(), ("5% at each border, mirrored", _CROPS["5% at each border"])]:
        change = _mirrored_crop if "mirrored" in kind else _crop
        for name, paths in files.items():
            crops = _hashed(paths, lambda picture, change=change, border=border: change(picture, border))  # type: ignore[misc]
            print(f"| {kind} | {name} | {' | '.join(map(_share, _recalls(originals[name], crops)))} |")


def _recalls(originals: _Hashed, crops: _Hashed) -> tuple[float, float, float]:
    cut = {f"{name}-crop": name for name in originals.hashes}
    pair = _Hashed(
        {**originals.hashes, **{crop: crops.hashes[name] for crop, name in cut.items()}},
        {**originals.parts, **{crop: crops.parts[name] for crop, name in cut.items()}},
    )

    def share(together: Mapping[str, str]) -> float:
        return float(np.mean([together[crop] == together[name] for crop, name in cut.items()]))

    return share(pair.by_the_whole), share(pair.with_crops(list(cut))), share(pair.with_crops(list(cut.values())))


def _print_different(monkeys: Collection, dogs: Collection) -> None:
    print(
        "\nPairs of pictures in one group; quarters are the four of each photograph, different pictures all."
        " Only quarters\nof photographs that share no group are counted as different\n"
    )
    print(
        "| pictures | how many | pairs by the whole | more pairs by their parts | pairs under two labels "
        "| biggest group |\n|---|---:|---:|---:|---:|---:|"
    )
    for collection in (dogs, monkeys):
        pictures = _hashed(collection.files, lambda picture: picture)
        _print_pairs(collection.name, pictures, dict(zip(pictures.hashes, collection.labels, strict=True)))
    for collection in (dogs, monkeys):
        singles = _one_a_group(collection)
        quarters = [
            _hashed(singles, lambda picture, index=quarter: _quarter(picture, index))  # type: ignore[misc]
            for quarter in range(4)
        ]
        whole_hashes = {
            f"{name} {quarter}": value for quarter, part in enumerate(quarters) for name, value in part.hashes.items()
        }
        parts = {
            f"{name} {quarter}": value for quarter, part in enumerate(quarters) for name, value in part.parts.items()
        }
        _print_pairs(f"quarters of {collection.name}", _Hashed(whole_hashes, parts))
    _print_pairs("dogs as ovals on white", _hashed(dogs.files, on_white))
    seeds = [(breed, seed) for breed in BREEDS for seed in range(_DOGS)]
    drawn = _hashes((f"{breed} {seed}", draw(breed, COATS[seed % len(COATS)], seed)) for breed, seed in seeds)
    _print_pairs("drawn dogs", drawn)


def _print_pairs(name: str, pictures: _Hashed, labels: Mapping[str, str] | None = None) -> None:
    before, after = pictures.by_the_whole, pictures.with_crops(list(pictures.hashes))
    more, biggest = _pairs(after) - _pairs(before), max(Counter(after.values()).values())
    apart = f"{_pairs(after) - _pairs({image: (after[image], labels[image]) for image in labels}):,}" if labels else ""
    print(f"| {name} | {len(before):,} | {_pairs(before):,} | {more:,} | {apart} | {biggest} |")


def _print_small(dogs: Collection) -> None:
    print(
        f"\n{_CLASSES} classes of {_TEN} photographs: how many have no test image, and how many no validation image;"
        f" drawn: mean and\nrange over {_REDRAWN} drawings of the groups' names (seeds 0 to {_REDRAWN - 1})\n"
    )
    print("| classes | arriving | split by | no test image | no validation image |\n|---|---|---|---:|---:|")
    breeds = dict(zip(dogs.images, dogs.labels, strict=True))
    drawn = [_drawn(seed) for seed in range(_REDRAWN)]
    ways: dict[str, Callable[[Mapping[str, str], int], dict[str, Assignment]]] = {
        "the group's hash alone": _by_hash,
        "class by class": _by_class,
    }
    for name, every in ((f"{len(dogs.classes)} breeds", [breeds]), (f"{_CLASSES} drawn", drawn)):
        for way, split in ways.items():
            for runs, arriving in ((1, "at once"), (5, "two a run")):
                lacking = np.array([_lacking(labels, split(labels, runs)) for labels in every])
                print(f"| {name} | {arriving} | {way} | {_range(lacking[:, 0])} | {_range(lacking[:, 1])} |")


def _drawn(seed: int) -> dict[str, str]:
    chance = np.random.default_rng(seed)
    return {chance.bytes(32).hex(): f"class {index // _TEN}" for index in range(_CLASSES * _TEN)}


def _by_class(labels: Mapping[str, str], runs: int) -> dict[str, Assignment]:
    """Deal the photographs as the runs do; each run brings an equal part of every class."""
    order = {label: [image for image in labels if labels[image] == label] for label in sorted(set(labels.values()))}
    assignments: dict[str, Assignment] = {}
    labels_so_far: dict[str, str] = {}
    for run in range(runs):
        labels_so_far |= {image: label for label, images in order.items() for image in images[run::runs]}
        assignments |= assign_splits({image: image for image in labels_so_far}, assignments, _SHARES, labels_so_far)
    return assignments


def _by_hash(labels: Mapping[str, str], _runs: int) -> dict[str, Assignment]:
    """Split as versions before did: by the SHA-256 of the group's name as a number between 0 and 100."""
    ends, given = np.cumsum([_SHARES.test, _SHARES.validation]), (*_HELD_BACK, Split.TRAIN)
    places = {image: int.from_bytes(sha256(image.encode()).digest()[:8]) / 2**64 * 100 for image in labels}
    return {image: Assignment(image, given[np.searchsorted(ends, index, "right")]) for image, index in places.items()}


def _lacking(labels: Mapping[str, str], splits: Mapping[str, Assignment]) -> tuple[int, int]:
    """Count the classes without a test image and those without a validation image."""
    present = {(label, splits[image].split) for image, label in labels.items()}
    classes = set(labels.values())
    test, validation = (sum((label, split) not in present for label in classes) for split in _HELD_BACK)
    return test, validation


def _hashed(files: Sequence[Path], change: Callable[[Image.Image], Image.Image]) -> _Hashed:
    """Hash each photograph after a change, as it is hashed when it is decoded."""
    return _hashes((f"{path.parent.name}/{path.name}", change(opened(path).image)) for path in files)


def _hashes(pictures: Iterable[tuple[str, Image.Image]]) -> _Hashed:
    levels = {name: to_grey_levels(picture) for name, picture in pictures}
    return _Hashed(
        {name: hash_levels(grey) for name, grey in levels.items()},
        {name: hash_parts(grey) for name, grey in levels.items()},
    )


def _crop(picture: Image.Image, border: tuple[float, float, float, float]) -> Image.Image:
    return encoded(cropped(picture, *border), "JPEG", 75)


def _mirrored_crop(picture: Image.Image, border: tuple[float, float, float, float]) -> Image.Image:
    return _crop(ImageOps.mirror(picture), border)


def _quarter(picture: Image.Image, quarter: int) -> Image.Image:
    left, top = 50 * (quarter % 2), 50 * (quarter // 2)
    return cropped(picture, left, top, 50 - left, 50 - top)


def _one_a_group(collection: Collection) -> list[Path]:
    first = dict(zip(collection.groups[::-1], collection.files[::-1], strict=True))
    return sorted(first.values())


def _pairs(together: Mapping[str, Hashable]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(together.values()).values())


def _share(share: float) -> str:
    return f"{share:.3f}"


def _range(counts: NDArray[np.int64]) -> str:
    low, high = counts.min(), counts.max()
    return f"{counts.mean():.1f} ({low} to {high})" if len(counts) > 1 else f"{low}"
