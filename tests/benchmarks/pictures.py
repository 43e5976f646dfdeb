"""Pictures for benchmarks: JPEGs of 500 x 375 pixels and about 40 KB, each with bytes of its own.

The first 5,000 have pixels of their own too, and none of them looks like another one, since a version needs images that
are free to be put into each split; a later one is one of these with another comment inside.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw

_WIDTH, _HEIGHT, _ROOM, _QUALITY = 500, 375, 140, 80
_CLASSES, _DRAWN = 20, 5000
# Light and shade of a picture's own, so many patches across and down, which its neighbours' hashes tell apart.
_PATCHES, _SHADE = (12, 9), 80
_A_TASK = 250


def make_pictures(folder: Path, count: int) -> list[Path]:
    """Write pictures that are not there yet as class/number.jpg, and name so many; the same number is the same file."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_make, folder, min(count, _DRAWN)), range(0, min(count, _DRAWN), _A_TASK)))
    for number in range(_DRAWN, count):
        _comment(_path(folder, number % _DRAWN), _path(folder, number), number)
    return [_path(folder, number) for number in range(count)]


def _path(folder: Path, number: int) -> Path:
    return folder / f"class-{number % _CLASSES:02}" / f"{number:06}.jpg"


def _comment(picture: Path, path: Path, number: int) -> None:
    if not path.exists():
        data = picture.read_bytes()
        path.write_bytes(data[:2] + b"\xff\xfe\x00\x08" + f"{number:06}".encode() + data[2:])


def _make(folder: Path, count: int, start: int) -> None:
    for number in range(start, min(start + _A_TASK, count)):
        path = _path(folder, number)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _picture(number).save(path, "JPEG", quality=_QUALITY)


def _picture(number: int) -> Image.Image:
    """Cut a drawing at a place of its own, turn or mirror it, and lay noise, light and shade of its own over it."""
    rng = np.random.default_rng(number)
    drawing = _drawing(int(rng.integers(0, 20)))
    left, top = rng.integers(0, _ROOM, 2)
    noise = _noise()[int(rng.integers(0, 500)) :, int(rng.integers(0, 500)) :][:_HEIGHT, :_WIDTH]
    part = drawing[top : top + _HEIGHT, left : left + _WIDTH] + noise[:, :, None] + rng.integers(-30, 30, 3)
    part = part[:, :: int(rng.choice([-1, 1]))] + _shade(rng)[:, :, None]
    return Image.fromarray(np.clip(part, 0, 255).astype(np.uint8))


def _shade(rng: np.random.Generator) -> NDArray[np.int16]:
    patches = Image.fromarray(rng.integers(0, 2 * _SHADE, _PATCHES[::-1], np.uint8))
    return np.asarray(patches.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC), np.int16) - _SHADE


@cache
def _drawing(number: int) -> NDArray[np.int16]:
    picture = draw(sorted(BREEDS)[number % len(BREEDS)], COATS[number % len(COATS)], number, _WIDTH + _ROOM)
    return np.asarray(picture, np.int16)


@cache
def _noise() -> NDArray[np.int16]:
    rough = np.random.default_rng(0).normal(0, 7, (_HEIGHT + 500, _WIDTH + 500))
    return rough.astype(np.int16)


if __name__ == "__main__":
    make_pictures(Path(sys.argv[1]), int(sys.argv[2]))
