"""Near duplicates: pictures that look the same, grouped by their perceptual hashes."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

import imagehash
from PIL import Image

_HASH_BITS = 64


def perceptual_hash(picture: Image.Image) -> int:
    """Compute the 64-bit pHash of a picture (a low-frequency cosine transform against its median), by imagehash."""
    return int(str(imagehash.phash(picture)), 16)


def groups(hashes: Mapping[str, int], bits: int) -> dict[str, str]:
    """Group images whose hashes differ in at most so many bits, also through others; a group is its smallest image.

    Two hashes that differ in ``bits`` bits agree wholly in one of ``bits + 1`` bands, so only images that share a
    band are compared: the work grows with the images, not with their pairs.
    """
    parent = {image: image for image in hashes}
    by_hash: defaultdict[int, list[str]] = defaultdict(list)
    for image in sorted(hashes):
        by_hash[hashes[image]].append(image)
    for same in by_hash.values():
        for first, second in pairwise(same):
            _join(parent, first, second)
    for bucket in _buckets(by_hash, bits):
        _join_close(parent, bucket, by_hash, bits)
    return {image: _root(parent, image) for image in hashes}


def _buckets(by_hash: Mapping[int, list[str]], bits: int) -> list[list[int]]:
    """Gather the distinct hashes that agree in one band."""
    width = _HASH_BITS // (bits + 1)
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for value in by_hash:
        for band in range(bits + 1):
            last = band == bits
            found[band, value >> (band * width) if last else (value >> (band * width)) & ((1 << width) - 1)].append(
                value
            )
    return [bucket for bucket in found.values() if len(bucket) > 1]


def _join_close(parent: dict[str, str], bucket: list[int], by_hash: Mapping[int, list[str]], bits: int) -> None:
    for index, first in enumerate(bucket):
        for second in bucket[index + 1 :]:
            if (first ^ second).bit_count() <= bits:
                _join(parent, by_hash[first][0], by_hash[second][0])


def _root(parent: dict[str, str], image: str) -> str:
    while parent[image] != image:
        parent[image] = parent[parent[image]]
        image = parent[image]
    return image


def _join(parent: dict[str, str], first: str, second: str) -> None:
    """Hang the larger name under the smaller, so that a group's root is its smallest image name."""
    low, high = sorted((_root(parent, first), _root(parent, second)))
    parent[high] = low
