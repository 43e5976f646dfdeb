"""Hashes of pictures that look alike or nearly do, the plain comparison of two of them, and their groups at once."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

from tasks.domain.images.crops import CropIndex, join_crops, to_rows
from tasks.domain.images.near_duplicates import group_hashes

# Bit 16 u + v tells of frequency u downwards and v sideways; the outline is the lowest 36 of them but for the mean.
OUTLINE = [16 * u + v for u in range(16) for v in range(16) if 0 < u + v < 8 or u == v == 4]
DETAIL = sorted(set(range(1, 256)) - set(OUTLINE))
MIRRORED = range(1, 256, 2)

hashes = st.binary(min_size=32, max_size=32)


def _number(bits: Iterable[int]) -> int:
    return sum(1 << (255 - bit) for bit in bits)


_OUTLINE, _TURNED = _number(OUTLINE), _number(MIRRORED)


def flipped(picture: bytes, bits: Iterable[int]) -> bytes:
    """Turn these bits of a hash, the first being the highest."""
    return (int.from_bytes(picture) ^ _number(bits)).to_bytes(32)


def between(first: bytes, second: bytes) -> bytes:
    """Make the hash that has every other difference of two hashes."""
    differing = int.from_bytes(first) ^ int.from_bytes(second)
    bits = [bit for bit in [*OUTLINE, *DETAIL] if differing >> (255 - bit) & 1]
    return flipped(first, bits[::2])


def alike(first: bytes, second: bytes, bits: int) -> bool:
    """Compare two hashes as docs/explanation/near-duplicates.md says, one of them mirrored or not."""
    for turned in (0, _TURNED):
        differing = int.from_bytes(first) ^ int.from_bytes(second) ^ turned
        if differing.bit_count() <= bits and (differing & _OUTLINE).bit_count() <= 5:
            return True
    return False


@st.composite
def near(draw: st.DrawFn, picture: bytes, bits: int) -> bytes:
    """Draw a hash that is about so many bits away, its outline about five, mirrored or not."""
    random = draw(st.randoms(use_true_random=False))
    outline = random.sample(OUTLINE, draw(st.integers(0, min(7, bits))))
    detail = random.sample(DETAIL, max(0, bits - len(outline) + draw(st.sampled_from([-4, -1, 0, 1]))))
    return flipped(picture, [*outline, *detail, *(MIRRORED if draw(st.booleans()) else ())])


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
    images = sorted(hashes)
    number = {image: index for index, image in enumerate(images)}
    rows, held = to_rows(hashes[image] for image in images), [image for image in images if image in middles]
    pictures = np.concatenate([rows, to_rows(middles[image] for image in held)])
    owners = np.concatenate([np.arange(len(images)), np.array([number[image] for image in held], np.intp)])
    batches = (
        (np.array([number[image] for image, parts in batch if parts], np.intp), to_rows(parts for _, parts in batch))
        for batch in new
    )
    group = join_crops(group_hashes(rows, bits), CropIndex(pictures, owners, bits), batches)
    return {image: images[first] for image, first in zip(images, group.tolist(), strict=True)}
