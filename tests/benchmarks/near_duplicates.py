"""How many changed copies the hash of the whole groups, and how many different pictures.

docs/explanation/near-duplicates.md shows what it printed.

Crops are found by hashes of parts, which tests.benchmarks.photographs.splits measures.

Three minutes on two free cores: python -m tests.benchmarks.near_duplicates FOLDER_OF_PHOTOGRAPHS
"""

import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from configs.schema import Dataset
from tasks.domain.images.near_duplicates import group_near_duplicates, perceptual_hash
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw

Change = Callable[[Image.Image], Image.Image]
Hashes = dict[str, NDArray[np.bool_]]

BITS: int = Dataset.model_fields["near_duplicate_bits"].default
SETTINGS = (24, 40, 48, 56, 64, 72, 80)
DOGS = 2000
KINDS: dict[str, Callable[[Image.Image], imagehash.ImageHash]] = {
    "pHash, 64 bits": imagehash.phash,
    "pHash, 144 bits": partial(imagehash.phash, hash_size=12),
    "pHash, 256 bits": partial(imagehash.phash, hash_size=16),
    "dHash, 64 bits": imagehash.dhash,
    "dHash, 256 bits": partial(imagehash.dhash, hash_size=16),
    "wHash, 64 bits": partial(imagehash.whash, image_scale=64),
    "wHash, 256 bits": partial(imagehash.whash, hash_size=16, image_scale=128),
}


def encoded(image: Image.Image, form: str, quality: int) -> Image.Image:
    """Encode a picture with loss, and decode it again."""
    sink = io.BytesIO()
    image.save(sink, form, quality=quality)
    return Image.open(sink).convert("RGB")


def resized(image: Image.Image, percent: int) -> Image.Image:
    """Make a picture smaller."""
    return image.resize((image.width * percent // 100, image.height * percent // 100), Image.Resampling.LANCZOS)


def cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """Cut so many percent of its side off a picture, at each side."""
    wide, tall = image.width / 100, image.height / 100
    return image.crop(
        (round(wide * left), round(tall * top), round(wide * (100 - right)), round(tall * (100 - bottom)))
    )


def toned(image: Image.Image, gamma: float) -> Image.Image:
    """Change how bright the middle tones are."""
    return image.point([round(255 * (value / 255) ** gamma) for value in range(256)] * 3)


def turned(image: Image.Image) -> Image.Image:
    """Turn a picture by two degrees, with black corners."""
    return image.rotate(2, Image.Resampling.BICUBIC)


def grey(image: Image.Image) -> Image.Image:
    """Take the colours away."""
    return image.convert("L").convert("RGB")


def crops(percent: int) -> dict[str, Change]:
    """Cut off a border all around, half as wide, or a border at one side."""
    half = percent / 2
    return {
        f"{half:g}% at each border": lambda image: cropped(image, half, half, half, half),
        f"{percent}% at the left alone": lambda image: cropped(image, percent, 0, 0, 0),
        f"{percent}% at the top alone": lambda image: cropped(image, 0, percent, 0, 0),
    }


CHANGES: dict[str, dict[str, Change]] = {
    "re-encoded": {
        **{f"JPEG, quality {quality}": partial(encoded, form="JPEG", quality=quality) for quality in (95, 75, 50, 30)},
        **{f"WebP, quality {quality}": partial(encoded, form="WEBP", quality=quality) for quality in (80, 50)},
    },
    "resized": {
        **{f"to {percent}%": partial(resized, percent=percent) for percent in (75, 50, 25)},
        "to 50%, then JPEG of quality 50": lambda image: encoded(resized(image, 50), "JPEG", 50),
    },
    "lightly cropped": {**crops(2), **crops(3), **crops(5)},
    "cropped": crops(10),
    "light and colour": {
        **{f"brightness x {by}": lambda image, by=by: ImageEnhance.Brightness(image).enhance(by) for by in (0.8, 1.2)},  # type: ignore[misc]
        **{f"contrast x {by}": lambda image, by=by: ImageEnhance.Contrast(image).enhance(by) for by in (0.8, 1.2)},  # type: ignore[misc]
        **{f"gamma {gamma}": partial(toned, gamma=gamma) for gamma in (0.8, 1.25)},
        "grey": grey,
    },
    "turned": {"by 2 degrees": turned},
    "mirrored": {
        "mirrored": ImageOps.mirror,
        "mirrored, then JPEG of quality 50": lambda image: encoded(ImageOps.mirror(image), "JPEG", 50),
        "mirrored, then 1.5% at each border": lambda image: cropped(ImageOps.mirror(image), 1.5, 1.5, 1.5, 1.5),
    },
}


def hashes_of(image: Image.Image) -> Hashes:
    """Compute every kind of hash."""
    return {name: np.asarray(kind(image).hash).ravel() for name, kind in KINDS.items()}


def copies_of(path: Path) -> dict[str, tuple[bytes, Hashes]]:
    """Hash a photograph and its changed copies, by the name of the change."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    copies = {"": image} | {name: change(image) for kind in CHANGES.values() for name, change in kind.items()}
    return {name: (perceptual_hash(copy), hashes_of(copy)) for name, copy in copies.items()}


def quarters_of(path: Path) -> list[tuple[bytes, Hashes, Hashes]]:
    """Hash the four quarters of a photograph, each also mirrored: pictures of their own, as alike as any are."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    parts = [cropped(image, left, top, 50 - left, 50 - top) for left in (0, 50) for top in (0, 50)]
    return [(perceptual_hash(part), hashes_of(part), hashes_of(ImageOps.mirror(part))) for part in parts]


def dog(seed: int) -> bytes:
    """Hash a drawn dog: hard to tell from others, since all stand in the middle of the same few backgrounds."""
    return perceptual_hash(draw(BREEDS[seed % len(BREEDS)], COATS[seed // len(BREEDS) % len(COATS)], seed))


def oval(path: Path) -> bytes:
    """Hash a photograph that is cut out as an oval and laid on white."""
    with Image.open(path) as opened:
        return perceptual_hash(on_white(opened.convert("RGB")))


def on_white(image: Image.Image) -> Image.Image:
    """Cut a picture out as an oval and lay it on white: the hardest case, since all such have one outline."""
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse([part * side for part in (0.25, 0.75) for side in image.size], fill=255)
    return Image.composite(image, Image.new("RGB", image.size, "white"), mask)


def recall(copies: Sequence[Mapping[str, tuple[bytes, Hashes]]], change: str, bits: int) -> float:
    """Share of the copies that are in their original's group."""
    originals = {f"{number}": copy[""][0] for number, copy in enumerate(copies)}
    together = group_near_duplicates(
        originals | {f"{number}~": copy[change][0] for number, copy in enumerate(copies)}, bits
    )
    return sum(together[image] == together[f"{image}~"] for image in originals) / len(originals)


def mistakes(hashes: Sequence[bytes], bits: int) -> tuple[int, int]:
    """Count the pairs of different pictures that are in one group, and the pictures of the biggest group."""
    sizes = Counter(
        group_near_duplicates({f"{number:05}": value for number, value in enumerate(hashes)}, bits).values()
    ).values()
    return sum(size * (size - 1) // 2 for size in sizes), max(sizes)


def safe_bits(quarters: Iterable[tuple[bytes, Hashes, Hashes]], kind: str) -> int:
    """Find how many bits may differ at most if no two quarters shall be taken for the same."""
    upright, mirrored = (np.array(bits, np.float32) for bits in zip(*((a[kind], b[kind]) for _, a, b in quarters)))  # noqa: B905
    closest: int = upright.shape[1]
    for other in (upright, mirrored):
        apart = upright.sum(1)[:, None] + other.sum(1) - 2 * upright @ other.T
        closest = min(closest, int(apart[np.triu_indices(len(apart), 1)].min()))
    return closest - 1


def share_within(
    copies: Sequence[Mapping[str, tuple[bytes, Hashes]]], kind: str, bits: int, changes: Iterable[str]
) -> float:
    """Share of the copies that are so close to their original or to the mirrored original."""
    close = [
        min(int((copy[original][1][kind] != copy[change][1][kind]).sum()) for original in ("", "mirrored")) <= bits
        for copy in copies
        for change in changes
    ]
    return sum(close) / len(close)


def print_recall(copies: Sequence[Mapping[str, tuple[bytes, Hashes]]]) -> None:
    """Print by change how many copies are grouped under the default setting."""
    print(f"| {len(copies)} photographs, {BITS} bits | change | recall |\n|---|---|---|")
    for kind, changes in CHANGES.items():
        recalls = {change: recall(copies, change, BITS) for change in changes}
        for change, share in recalls.items():
            print(f"| {kind} | {change} | {share:.3f} |")
        print(f"| **{kind}** | **all** | **{np.mean(list(recalls.values())):.3f}** |")


def print_settings(
    copies: Sequence[Mapping[str, tuple[bytes, Hashes]]], different: Mapping[str, Sequence[bytes]]
) -> None:
    """Print what each setting groups: changed copies, and different pictures that it takes for the same."""
    print(f"\n| bits | {' | '.join([*CHANGES, *different])} |\n|---|{'---|' * len([*CHANGES, *different])}")
    for bits in SETTINGS:
        shares = [np.mean([recall(copies, change, bits) for change in changes]) for changes in CHANGES.values()]
        wrong = [mistakes(hashes, bits) for hashes in different.values()]
        row = [*(f"{share:.3f}" for share in shares), *(f"{pairs:,} ({biggest:,})" for pairs, biggest in wrong)]
        print(f"| {bits} | {' | '.join(row)} |")


def print_kinds(
    copies: Sequence[Mapping[str, tuple[bytes, Hashes]]], quarters: Sequence[tuple[bytes, Hashes, Hashes]]
) -> None:
    """Print for each kind of hash how many copies it finds if no two quarters shall be taken for the same."""
    print(f"\n| hash | bits | {' | '.join(CHANGES)} |\n|---|---|{'---|' * len(CHANGES)}")
    for kind in KINDS:
        bits = safe_bits(quarters, kind)
        shares = [f"{share_within(copies, kind, bits, changes):.3f}" for changes in CHANGES.values()]
        print(f"| {kind} | {bits if bits >= 0 else 'none'} | {' | '.join(shares)} |")


def main(folder: Path) -> None:
    """Print the tables."""
    paths = sorted(folder.glob("*/*.jpg"))
    with ProcessPoolExecutor(2) as pool:
        copies = list(pool.map(copies_of, paths, chunksize=5))
        quarters = [quarter for parts in pool.map(quarters_of, paths, chunksize=5) for quarter in parts]
        dogs = list(pool.map(dog, range(DOGS), chunksize=50))
        ovals = list(pool.map(oval, paths, chunksize=5))
    different = {
        f"{len(paths)} photographs": [copy[""][0] for copy in copies],
        f"{len(quarters):,} quarters": [quarter[0] for quarter in quarters],
        f"{DOGS:,} drawn dogs": dogs,
        f"{len(paths)} ovals on white": ovals,
    }
    print_recall(copies)
    print_settings(copies, different)
    print_kinds(copies, quarters)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
