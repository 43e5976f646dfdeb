"""Crop detection: hashes of parts find pictures that show a part of another one.

docs/explanation/near-duplicates.md holds the measurements behind the constants.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from tasks.domain.images.group_extension import sort_into_buckets
from tasks.domain.images.near_duplicates import (
    HASH_BYTES,
    MIRROR,
    OUTLINE_BITS,
    expand_ranges,
    join_pairs,
    pack_outlines,
)

#: The name of these hashes in the store. Hashes of other parts must get another name, so that two kinds never mix.
METHOD = "phash-16x16-parts-6x6"
_SIDE, _COSINES, _STEPS = 32, 16, 64
# The shares of a side that are cut off at its beginning and at its end. Any crop by at most a tenth at each border is
# close to one of these six: no crop, about a tenth at one border, and three steps up to a tenth at both.
_CUTS = ((0.0, 0.0), (0.0, 0.09), (0.09, 0.0), (0.04, 0.04), (0.07, 0.07), (0.1, 0.1))
PARTS = len(_CUTS) ** 2
PARTS_BYTES = PARTS * HASH_BYTES
# The last part is the middle, without a tenth at each border. Every crop that cuts off less still shows it.
_MIDDLE = slice(PARTS_BYTES - HASH_BYTES, PARTS_BYTES)

# Two pictures are compared if at least one of eight fixed choices of 18 outline bits agrees in all 18. This misses few
# pairs, because several parts fit each of them; among 100,000 photographs each is compared with a few thousand.
_CHOSEN = 18
# Outlines shared by more pictures than this, as of objects on white, say nothing about crops and cost too much time.
_MAX_SHARED = 200
_MIRROR_WORD = np.full(8, MIRROR, np.uint8).view(np.uint64)[0]
# A third of an outline is looked up in a table at once.
_THIRD = 12

Hashes = NDArray[np.uint8]
Numbers = NDArray[np.intp]


class _Choice:
    """A fixed choice of 18 of the 36 bits of outlines."""

    def __init__(self, number: int) -> None:
        chosen = sorted(range(36), key=lambda bit: sha256(f"{number} {bit}".encode()).digest())[:_CHOSEN]
        bits = np.arange(1 << _THIRD)[:, None] >> np.arange(_THIRD) & 1
        weight = np.zeros(36, np.intp)
        weight[chosen] = 1 << np.arange(_CHOSEN)
        self._tables = [bits @ weight[start : start + _THIRD] for start in range(0, 36, _THIRD)]

    def __call__(self, outlines: NDArray[np.uint64]) -> Numbers:
        """Return the chosen bits of each outline as one number, of shape (n,)."""
        low, middle, high = (
            table[(outlines >> np.uint64(_THIRD * third) & np.uint64((1 << _THIRD) - 1)).astype(np.intp)]
            for third, table in enumerate(self._tables)
        )
        return np.asarray(low + middle + high)


_CHOICES = [_Choice(number) for number in range(8)]


def _basis(begin: float, end: float) -> NDArray[np.float64]:
    """Build the cosine basis of one part of a side, in whole numbers, so that sums are exact on every machine.

    The part is stretched to 64 steps, as ``perceptual_hash`` would see it: each step is the mean of the levels that it
    covers.

    Args:
        begin: The share of the side that is cut off at its beginning.
        end: The share that is cut off at its end.

    Returns:
        The basis of shape (16, 32): 16 frequencies over 32 grey levels.
    """
    edges = (begin + (1 - begin - end) * np.arange(_STEPS + 1) / _STEPS) * _SIDE
    covered = np.diff(np.clip(edges[:, None] - np.arange(_SIDE), 0, 1), axis=0)
    cosines = np.cos(np.outer(np.arange(_COSINES), 2 * np.arange(_STEPS) + 1) * (np.pi / (2 * _STEPS)))
    # The sums are at most 1020 x (64 x 2^15)^2 < 2^53.
    basis: NDArray[np.float64] = np.rint(cosines @ (covered / covered.sum(axis=1, keepdims=True)) * 2**15)
    return basis


_BASES = np.concatenate([_basis(*cut) for cut in _CUTS])


def hash_parts(levels: NDArray[np.float64]) -> bytes:
    """Compute the hashes of 36 parts of a picture: the signs of the lowest 16 x 16 cosines of each part.

    Args:
        levels: The grey levels of the whole picture, of shape (64, 64).

    Returns:
        36 concatenated hashes of 32 bytes; the last one is that of the middle.
    """
    # This sum of slices is five times as fast as NumPy's sum over two axes.
    small = levels[::2, ::2] + levels[1::2, ::2] + levels[::2, 1::2] + levels[1::2, 1::2]
    cosines = (_BASES @ small @ _BASES.T).reshape(len(_CUTS), _COSINES, len(_CUTS), _COSINES)
    return np.packbits((cosines > 0).transpose(0, 2, 1, 3).reshape(PARTS, -1), axis=1).tobytes()


def middle_hash(parts: bytes) -> bytes:
    """Return the hash of a picture's middle from the hashes of its parts."""
    return parts[_MIDDLE]


def join_crops(group: Numbers, index: "CropIndex", new: Iterable[tuple[Numbers, Hashes]]) -> Numbers:
    """Merge the groups of new images with those of the images that they are crops of, and of their own crops.

    Args:
        group: The smallest index in the group of each image, of shape (n,).
        index: The images that are searched.
        new: Indices of new images, of shape (n_batch,), and the hashes of their parts, of shape (36 n_batch, 32).

    Returns:
        The groups, of shape (n,).
    """
    for images, parts in new:
        for found, others in index.find_pairs(images, parts):
            group = join_pairs(group, found, others)
    return group


class CropIndex:
    """An index of the pictures that are searched for crops, by the hashes of the whole picture and of its middle."""

    def __init__(self, hashes: Hashes, owners: Numbers, bits: int) -> None:
        """Build the index.

        Args:
            hashes: The perceptual hashes of images and of their middles, of shape (n_hashes, 32); older stores lack the
                middles.
            owners: The index of the image that each hash belongs to, of shape (n_hashes,).
            bits: How many of the 256 bits of two hashes may differ.
        """
        upright = pack_outlines(hashes)
        mirrored = upright ^ pack_outlines(np.full((1, HASH_BYTES), MIRROR, np.uint8))
        self._words, self._owners, self._bits = hashes.view(np.uint64), owners, bits
        self._outlines = np.concatenate([upright, mirrored])
        self._buckets = [sort_into_buckets(choose(self._outlines), _CHOSEN) for choose in _CHOICES]

    def find_pairs(self, images: Numbers, parts: Hashes) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield the pairs in which an indexed picture, or its middle, looks like a part of a given image.

        Args:
            images: Indices of images, of shape (n,).
            parts: The hashes of their parts, of shape (36 n, 32).

        Yields:
            The indices of given images, and those of the images that look like a part of them; a pair may come again.
        """
        outlines = pack_outlines(parts)
        for choose, (order, starts) in zip(_CHOICES, self._buckets, strict=True):
            keys = choose(outlines)
            begin, end = starts[keys], starts[keys + 1]
            end = np.where(end - begin > _MAX_SHARED, begin, end)
            for candidate, position in expand_ranges(begin, end):
                entries = order[position]
                near = np.bitwise_count(outlines[candidate] ^ self._outlines[entries]) <= OUTLINE_BITS
                query, entry = self._alike(parts.view(np.uint64), candidate[near], entries[near])
                image, other = images[query // PARTS], self._owners[entry]
                yield image[image != other], other[image != other]

    def _alike(self, parts: NDArray[np.uint64], query: Numbers, entry: Numbers) -> tuple[Numbers, Numbers]:
        mirror = np.where(entry >= len(self._words), _MIRROR_WORD, np.uint64(0))[:, None]
        entry = entry % len(self._words)
        differing = np.bitwise_count(parts[query] ^ self._words[entry] ^ mirror).sum(axis=1, dtype=np.intp)
        return query[differing <= self._bits], entry[differing <= self._bits]


def to_rows(hashes: Iterable[bytes]) -> Hashes:
    """Put hashes, or several of them side by side, into the rows of an array of shape (n, 32)."""
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES)
