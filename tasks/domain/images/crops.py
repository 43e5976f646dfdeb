"""Crop detection: hashes of parts find pictures that show a part of another one.

docs/explanation/near-duplicates.md holds the measurements behind the constants.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from tasks.domain.images.near_duplicates import (
    HASH_BYTES,
    MIRROR,
    OUTLINE,
    OUTLINE_BITS,
    expand_ranges,
    group_near_duplicates,
    join_groups,
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
_CHOICES = [
    sorted(range(36), key=lambda bit, choice=choice: sha256(f"{choice} {bit}".encode()).digest())[:18]  # type: ignore[misc]
    for choice in range(8)
]
# Outlines shared by more pictures than this, as of objects on white, say nothing about crops and cost too much time.
_MAX_SHARED = 200
_POWERS = 1 << np.arange(18, dtype=np.int64)
_OUTLINE_MASK = np.packbits(np.isin(np.arange(8 * HASH_BYTES), OUTLINE)).view(np.uint64)

_Hashes = NDArray[np.uint8]


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


def group_with_crops(
    hashes: Mapping[str, bytes], middles: Mapping[str, bytes], new: Iterable[Sequence[tuple[str, bytes]]], bits: int
) -> dict[str, str]:
    """Group images that look alike; new images also join the images that they are crops of, and their own crops.

    Args:
        hashes: The perceptual hash of each image, old and new.
        middles: The hash of the middle of each image that has one.
        new: New images with the hashes of their parts, in batches.
        bits: How many of the 256 bits of two hashes may differ.

    Returns:
        The group of each image; a group is named by the smallest of its image names.
    """
    crop_index = CropIndex(hashes, middles, bits)
    pairs = (pair for batch in new for pair in crop_index.find_pairs(batch))
    return join_groups(group_near_duplicates(hashes, bits), pairs)


class CropIndex:
    """An index of the pictures that are searched for crops, by the hashes of the whole picture and of its middle."""

    def __init__(self, hashes: Mapping[str, bytes], middles: Mapping[str, bytes], bits: int) -> None:
        """Build the index.

        Args:
            hashes: The perceptual hash of each image.
            middles: The hash of the middle of each image that has one; older stores lack them.
            bits: How many of the 256 bits of two hashes may differ.
        """
        rows = [(image, hashes[image]) for image in sorted(hashes)]
        rows += [(image, middles[image]) for image in sorted(middles)]
        upright = _to_rows(image_hash for _, image_hash in rows)
        self._hashes = np.concatenate([upright, upright ^ MIRROR])
        self._names = np.array([image for image, _ in rows] * 2)
        self._bits = bits
        outlines = _outline_bits(self._hashes)
        self._sorted = [_sort_keys(outlines[:, choice] @ _POWERS) for choice in _CHOICES]

    def find_pairs(self, parts: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, str]]:
        """Yield the pairs in which an indexed picture, or its middle, looks like a part of a given image.

        Args:
            parts: Images with the hashes of their parts; images without hashes are skipped.

        Yields:
            The name of the given image, and that of the indexed picture.
        """
        hashed_images = [(image, hashes) for image, hashes in parts if hashes]
        queries = _to_rows(hashes for _, hashes in hashed_images)
        outlines = _outline_bits(queries)
        for choice, (keys, order) in zip(_CHOICES, self._sorted, strict=True):
            query_keys = outlines[:, choice] @ _POWERS
            starts, ends = np.searchsorted(keys, query_keys), np.searchsorted(keys, query_keys, side="right")
            ends = np.where(ends - starts > _MAX_SHARED, starts, ends)
            for query, positions in expand_ranges(starts, ends):
                yield from self._alike(hashed_images, queries, query, order[positions])

    def _alike(
        self,
        hashed_images: Sequence[tuple[str, bytes]],
        queries: _Hashes,
        query: NDArray[np.intp],
        candidates: NDArray[np.intp],
    ) -> Iterator[tuple[str, str]]:
        differing = queries.view(np.uint64)[query] ^ self._hashes.view(np.uint64)[candidates]
        outline = np.bitwise_count(differing & _OUTLINE_MASK).sum(axis=1, dtype=np.intp) <= OUTLINE_BITS
        alike = outline & (np.bitwise_count(differing).sum(axis=1, dtype=np.intp) <= self._bits)
        pairs = zip((query[alike] // PARTS).tolist(), self._names[candidates[alike]].tolist(), strict=True)
        yield from ((hashed_images[number][0], name) for number, name in set(pairs) if hashed_images[number][0] != name)


def _to_rows(hashes: Iterable[bytes]) -> _Hashes:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES)


def _outline_bits(hashes: _Hashes) -> _Hashes:
    return np.unpackbits(hashes, axis=1)[:, OUTLINE]


def _sort_keys(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    order = np.argsort(keys, kind="stable")
    return keys[order], order
