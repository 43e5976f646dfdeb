"""What measuring JPEGs by their brightness finds of changed copies, beside measuring them by their colours.

docs/explanation/near-duplicates.md shows what it printed.

python -m tests.benchmarks.brightness FOLDER... [--most 400]

Each FOLDER holds photographs, one folder a class. Of each a sample is changed and saved, and the files are measured in
both ways. Pillow's own formats beside JPEG have no brightness of their own: in both ways they are decoded as a whole.
"""

import argparse
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from configs.schema import Dataset
from configs.sections import Images
from tasks.domain.images.crops import middle_hash
from tasks.domain.images.image_info import Description, describe_brightness, describe_image
from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.domain.images.preprocessing import Picture, limits_from_settings, open_picture
from tests.benchmarks.near_duplicates import CHANGES, Change, cropped
from tests.tasks.domain.picture_hashes import group_with_crops

Descriptions = dict[str, Description]
Save = Callable[[Image.Image], bytes]

_BITS: int = Dataset.model_fields["near_duplicate_bits"].default
_LIMITS = limits_from_settings(Images())
_WAYS = {"colours": describe_image, "brightness": describe_brightness}
_CROPS = {
    "5% at each border": (5, 5, 5, 5),
    "10% at each border": (10, 10, 10, 10),
    "10% at the left alone": (10, 0, 0, 0),
    "2, 9, 6 and 4% at left, top, right and bottom": (2, 9, 6, 4),
}


def saved(picture: Image.Image, form: str = "JPEG", quality: int = 90) -> bytes:
    """Return a file's bytes; PNG knows no quality."""
    sink = io.BytesIO()
    picture.save(sink, form, **({} if form == "PNG" else {"quality": quality}))
    return sink.getvalue()


SAVES: dict[str, Save] = {
    **{f"JPEG, quality {quality}": partial(saved, quality=quality) for quality in (95, 75, 50, 30)},
    **{f"WebP, quality {quality}": partial(saved, form="WEBP", quality=quality) for quality in (80, 50)},
    "PNG": partial(saved, form="PNG"),
}


def main() -> None:
    """Print the tables of each folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--most", type=int, default=400, help="photographs of each folder that are changed")
    args = parser.parse_args()
    for folder in args.folders:
        every = sorted(folder.glob("*/*.jpg"))
        chosen = np.sort(np.random.default_rng(0).choice(len(every), min(args.most, len(every)), replace=False))
        print_recall(folder.name, [every[index] for index in chosen])
        print_different(folder.name, every)


def print_recall(name: str, paths: Sequence[Path]) -> None:
    """Print by change the share of copies that are in their original's group."""
    print(f"\n| {len(paths)} {name}, {_BITS} bits | {' | '.join(f'by {way}' for way in _WAYS)} |\n|---|---:|---:|")
    pictures = [_opened(path.read_bytes()) for path in paths]
    originals = {way: _described([path.read_bytes() for path in paths], way) for way in _WAYS}
    for kind, changes in CHANGES.items():
        saves = SAVES if kind == "re-encoded" else {change: _after(by) for change, by in changes.items()}
        shares = [_whole_recalls(originals, [save(picture) for picture in pictures]) for save in saves.values()]
        _show(f"{kind}, {len(saves)} ways", np.mean(shares, axis=0))
    for crop, border in _CROPS.items():
        files = [saved(cropped(picture, *border), quality=75) for picture in pictures]
        _show(f"by parts: {crop}, crop arrives later", _part_recalls(originals, files, later="copy"))
        _show(f"by parts: {crop}, crop arrives first", _part_recalls(originals, files, later="original"))


def print_different(name: str, paths: Sequence[Path]) -> None:
    """Print how many pairs of different pictures share a group, and how bits and measures of the two ways differ."""
    files = [path.read_bytes() for path in paths]
    quarters = [saved(part) for data in files for part in _quarters(_opened(data))]
    print(f"\n| {name} | pairs by colours | pairs by brightness | with parts, by colours | by brightness |")
    print("|---|---:|---:|---:|---:|")
    for kind, data in ((f"{len(files):,} photographs", files), (f"{len(quarters):,} quarters", quarters)):
        described = {way: _described(data, way) for way in _WAYS}
        whole = [_pairs(group_near_duplicates(_hashes(found), _BITS)) for found in described.values()]
        parts = [_pairs(_with_parts(found, list(found))) for found in described.values()]
        print(f"| {kind} | {' | '.join(f'{count:,}' for count in [*whole, *parts])} |", flush=True)
    _show_differences(*(_described(files, way) for way in _WAYS))


def _show_differences(colours: Descriptions, brightness: Descriptions) -> None:
    pairs = [(colours[name], brightness[name]) for name in colours]
    bits = [_count_bits(one.phash, other.phash) for one, other in pairs]
    print(f"\nBits of 256 that differ between the ways: median {np.median(bits):.0f}, most {max(bits)}.")
    for measure in ("brightness", "contrast", "sharpness", "tone"):
        one, other = (np.array([getattr(pair[side].measures, measure) for pair in pairs]) for side in (0, 1))
        ranks = np.corrcoef(one.argsort().argsort(), other.argsort().argsort())[0, 1]
        most = np.quantile(np.abs(one - other), 0.99)
        print(f"{measure}: 99 of 100 differ by {most:.4f} at most; rank correlation {ranks:.4f}.")


def _whole_recalls(originals: Mapping[str, Descriptions], files: Sequence[bytes]) -> list[float]:
    recalls = []
    for way, originals_described in originals.items():
        copies = {f"{name}~": value for name, value in _described(files, way).items()}
        together = group_near_duplicates(_hashes({**originals_described, **copies}), _BITS)
        recalls.append(float(np.mean([together[name] == together[f"{name}~"] for name in originals_described])))
    return recalls


def _part_recalls(originals: Mapping[str, Descriptions], files: Sequence[bytes], later: str) -> list[float]:
    recalls = []
    for way, described in originals.items():
        copies = {f"{name}~": value for name, value in _described(files, way).items()}
        together = _with_parts({**described, **copies}, list(copies if later == "copy" else described))
        recalls.append(float(np.mean([together[name] == together[f"{name}~"] for name in described])))
    return recalls


def _with_parts(described: Descriptions, new: Sequence[str]) -> dict[str, str]:
    middles = {name: middle_hash(value.parts) for name, value in described.items()}
    parts = [(name, described[name].parts) for name in new]
    return group_with_crops(_hashes(described), middles, [parts], _BITS)


def _described(files: Sequence[bytes], way: str) -> Descriptions:
    found = {f"{number:06}": _WAYS[way](data, _LIMITS) for number, data in enumerate(files)}
    return {name: value for name, value in found.items() if isinstance(value, Description)}


def _hashes(described: Descriptions) -> dict[str, bytes]:
    return {name: value.phash for name, value in described.items()}


def _after(change: Change) -> Save:
    return lambda picture: saved(change(picture))


def _opened(data: bytes) -> Image.Image:
    picture = open_picture(data, _LIMITS)
    assert isinstance(picture, Picture)
    return picture.image


def _quarters(picture: Image.Image) -> list[Image.Image]:
    return [cropped(picture, left, top, 50 - left, 50 - top) for left in (0, 50) for top in (0, 50)]


def _pairs(together: Mapping[str, str]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(together.values()).values())


def _count_bits(one: bytes, other: bytes) -> int:
    return int(np.bitwise_count(np.frombuffer(one, np.uint8) ^ np.frombuffer(other, np.uint8)).sum())


def _show(change: str, shares: Sequence[float] | np.ndarray) -> None:
    print(f"| {change} | {' | '.join(f'{share:.4f}' for share in shares)} |", flush=True)


if __name__ == "__main__":
    main()
