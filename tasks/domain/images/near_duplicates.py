"""Near duplicates: pictures that look the same, grouped by perceptual hashes.

docs/explanation/near-duplicates.md holds the measurements behind the constants.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.domain.images.color_management import to_small_grey

#: The name of the hashes' column in the store. Another kind of hash must get another name, so that two kinds never mix.
METHOD = "phash-16x16"
HASH_BYTES = 32
#: Stored hashes of whole pictures were made so.
REDUCING_GAP = 1.5
_SHRUNK, _COSINES = 64, 16
# The cosine basis in whole numbers. Sums stay below 255 x 64 x 64 x 2^32 < 2^53, so they are exact in any order.
_DCT = np.rint(np.cos(np.outer(np.arange(_COSINES), 2 * np.arange(_SHRUNK) + 1) * (np.pi / (2 * _SHRUNK))) * 2**16)

# Bit 16 u + v of a hash compares the coefficient of the vertical frequency u and the horizontal frequency v with the
# median. The bits of the lowest frequencies change least when a picture is cropped or rotated. The 36 bits with the
# smallest u + v, without the mean, are called the outline.
_LOWEST = sorted(range(256), key=lambda bit: (sum(divmod(bit, 16)), max(divmod(bit, 16)), bit))[1:37]
OUTLINE_BITS = 5
# The outline is split into nine blocks of four bits; neighbouring bits are in different blocks. Five differing bits
# touch at most five blocks, so two close outlines agree completely in at least one of the 126 choices of four blocks.
_BLOCKS, _WIDTH, _AGREEING = 9, 4, 4
OUTLINE = [bit for block in range(_BLOCKS) for bit in _LOWEST[block::_BLOCKS]]
_CHOICES = list(combinations(range(_BLOCKS), _AGREEING))
_MASKS = np.array([sum(1 << block for block in choice) for choice in _CHOICES])
_FIRST_CHOICE = ((np.arange(1 << _BLOCKS)[:, None] & _MASKS) == _MASKS).argmax(axis=1)
#: Mirroring a picture negates the coefficients of odd horizontal frequency; XOR with this flips their bits.
MIRROR = np.uint8(0x55)
_PAIRS_AT_ONCE = 1 << 20  # About 100 MB of memory.
_UNPACKED_AT_ONCE = 1 << 15  # Each hash takes 256 bytes of memory as single bits.

_Numbers = NDArray[np.intp]
_Pairs = tuple[_Numbers, _Numbers]
_Outlines = NDArray[np.uint64]


def perceptual_hash(picture: Image.Image) -> bytes:
    """Compute the 256-bit pHash of a picture: its lowest 16 x 16 DCT coefficients compared with their median.

    Source: Zauner, 2010, "Implementation and benchmarking of perceptual image hash functions", in the variant of the
    package imagehash.

    Returns:
        32 bytes.
    """
    return hash_levels(to_grey_levels(picture))


def to_grey_levels(picture: Image.Image, reducing_gap: float = REDUCING_GAP) -> NDArray[np.float64]:
    """Convert a picture to the grey levels that are hashed.

    Args:
        picture: A decoded picture, or its small grey copy.
        reducing_gap: How many times larger than the result the picture stays at least when it is first shrunk by a
            whole number; the lower, the faster.

    Returns:
        The grey levels of the whole picture, stretched to the shape (64, 64).
    """
    small = to_small_grey(picture).resize((_SHRUNK, _SHRUNK), Image.Resampling.LANCZOS, reducing_gap=reducing_gap)
    return np.asarray(small, np.float64)


def hash_levels(levels: NDArray[np.float64]) -> bytes:
    """Compute the perceptual hash of grey levels.

    Args:
        levels: The grey levels of the whole picture, of shape (64, 64).

    Returns:
        32 bytes.
    """
    cosines = (_DCT @ levels @ _DCT.T).ravel()
    # Sorting is seven times as fast as NumPy's median here.
    below, above = np.sort(cosines)[cosines.size // 2 - 1 : cosines.size // 2 + 1]
    return np.packbits(cosines > (below + above) / 2).tobytes()


def group_near_duplicates(hashes: Mapping[str, bytes], bits: int) -> dict[str, str]:
    """Group images that look alike, directly or through other images.

    Two images look alike if their hashes (one of them mirrored or not) differ in at most ``bits`` of the 256 bits and
    in at most five of the 36 outline bits. Outlines that share four blocks are found by sorting, so the work grows with
    the number of images and not of pairs.

    Source: Manku, Jain, Das Sarma, 2007, "Detecting near-duplicates for web crawling", WWW.

    Args:
        hashes: The perceptual hash of each image.
        bits: How many of the 256 bits may differ.

    Returns:
        The group of each image; a group is named by the smallest of its image names.
    """
    images = sorted(hashes)
    rows = np.frombuffer(b"".join(hashes[image] for image in images), np.uint8).reshape(-1, HASH_BYTES)
    return {image: images[first] for image, first in zip(images, group_hashes(rows, bits).tolist(), strict=True)}


def group_hashes(hashes: NDArray[np.uint8], bits: int) -> _Numbers:
    """Group hashes as ``group_near_duplicates`` does.

    Args:
        hashes: Of shape (n, 32).
        bits: How many of the 256 bits may differ.

    Returns:
        The smallest index in the group of each hash, of shape (n,).
    """
    if not len(hashes):
        return np.zeros(0, np.intp)
    distinct, number = np.unique(hashes, axis=0, return_inverse=True)
    group = _group_distinct(distinct, bits)[number.ravel()]
    _, smallest, group_index = np.unique(group, return_index=True, return_inverse=True)
    return smallest[group_index]


def _group_distinct(hashes: NDArray[np.uint8], bits: int) -> _Numbers:
    """Return the group number, of shape (n,), of each of n distinct hashes, of shape (n, 32).

    Inside, entry n + i is the mirrored entry i.

    Returns:
        The smallest index of the hashes in each hash's group.
    """
    oriented_hashes = np.concatenate([hashes, hashes ^ MIRROR])
    words, count = oriented_hashes.view(np.uint64), len(hashes)
    outlines, outline_of = np.unique(pack_outlines(oriented_hashes), return_inverse=True)
    order = np.argsort(outline_of, kind="stable")
    starts = np.searchsorted(outline_of[order], np.arange(len(outlines) + 1))
    upright = starts[:-1] + np.bincount(outline_of[:count], minlength=len(outlines))
    group = np.arange(count)
    for pairs in _close_pairs(outlines):
        for first, second in _entry_pairs(pairs, starts, upright):
            first_entry, second_entry = order[first], order[second]
            news = (first_entry < second_entry % count) & (group[first_entry] != group[second_entry % count])
            first_entry, second_entry = first_entry[news], second_entry[news]
            alike = np.bitwise_count(words[first_entry] ^ words[second_entry]).sum(axis=1, dtype=np.intp) <= bits
            group = join_pairs(group, first_entry[alike], second_entry[alike] % count)
    return group


def pack_outlines(hashes: NDArray[np.uint8]) -> _Outlines:
    """Pack the 36 outline bits of each hash into one number.

    Args:
        hashes: Of shape (n, 32).

    Returns:
        The outlines, uint64 of shape (n,).
    """
    outlines = np.zeros((len(hashes), 8), np.uint8)
    for start in range(0, len(hashes), _UNPACKED_AT_ONCE):
        rows = slice(start, start + _UNPACKED_AT_ONCE)
        packed = np.packbits(np.unpackbits(hashes[rows], axis=1)[:, OUTLINE], axis=1, bitorder="little")
        outlines[rows, : packed.shape[1]] = packed
    return outlines.view("<u8").ravel()


def _close_pairs(outlines: _Outlines) -> Iterator[_Pairs]:
    """Yield every pair of close outlines once, as indices, after the pairs of each outline with itself."""
    numbers = np.arange(len(outlines))
    yield numbers, numbers
    for number, choice in enumerate(_CHOICES):
        key = _join_blocks(outlines, choice)
        order = np.argsort(key, kind="stable")
        ordered = outlines[order]
        for first, second in expand_ranges(numbers + 1, _run_ends(key[order])):
            differing = ordered[first] ^ ordered[second]
            near = np.flatnonzero(np.bitwise_count(differing) <= OUTLINE_BITS)
            news = near[_FIRST_CHOICE[_agreeing_blocks(differing[near])] == number]
            yield order[first[news]], order[second[news]]


def _run_ends(keys: NDArray[np.uint16]) -> _Numbers:
    """Return, for each of the sorted keys, the index at which its run of equal keys ends."""
    ends = np.flatnonzero(np.append(keys[1:] != keys[:-1], True)) + 1
    return np.repeat(ends, np.diff(ends, prepend=0))


def _join_blocks(outlines: _Outlines, choice: tuple[int, ...]) -> NDArray[np.uint16]:
    """Concatenate the bits of the chosen blocks of each outline."""
    key = np.zeros(len(outlines), np.uint64)
    for block in choice:
        key = key << np.uint64(_WIDTH) | _block(outlines, block)
    return key.astype(np.uint16)


def _agreeing_blocks(differing: _Outlines) -> _Numbers:
    """Return a bit mask of the blocks in which two outlines agree, given the XOR of the two."""
    same = np.zeros(len(differing), np.intp)
    for block in range(_BLOCKS):
        same |= (_block(differing, block) == 0).astype(np.intp) << block
    return same


def _block(outlines: _Outlines, block: int) -> _Outlines:
    return outlines >> np.uint64(_WIDTH * block) & np.uint64((1 << _WIDTH) - 1)


def _entry_pairs(pairs: _Pairs, starts: _Numbers, upright: _Numbers) -> Iterator[_Pairs]:
    """Yield the positions of the entries that have the two outlines of a pair; the first entry is not mirrored.

    The entries of an outline stand side by side from its start to the next one's; those not mirrored come first.

    Args:
        pairs: Indices of outlines.
        starts: Where the entries of each outline start, and the end of the last.
        upright: Where the entries of each outline that are not mirrored end.

    Yields:
        Positions of first and second entries, in batches.
    """
    outline, other_outline = pairs
    other = outline != other_outline
    upright_outline, paired_outline = (
        np.concatenate([outline, other_outline[other]]),
        np.concatenate([other_outline, outline[other]]),
    )
    for pair, first in expand_ranges(starts[upright_outline], upright[upright_outline]):
        for row, second in expand_ranges(starts[paired_outline[pair]], starts[paired_outline[pair] + 1]):
            yield first[row], second


def expand_ranges(starts: _Numbers, ends: _Numbers) -> Iterator[_Pairs]:
    """Yield every row's number beside every position of its range, in batches of about a million.

    Args:
        starts: Where the range of each row starts, of shape (n_rows,).
        ends: Where it ends, exclusive, of shape (n_rows,).

    Yields:
        Row numbers and positions, two arrays of the same length.
    """
    counts = ends - starts
    done = np.concatenate([[0], np.cumsum(counts)])
    row = 0
    while done[row] < done[-1]:
        last = max(row + 1, int(np.searchsorted(done, done[row] + _PAIRS_AT_ONCE, side="right")) - 1)
        rows = np.repeat(np.arange(row, last), counts[row:last])
        yield rows, np.arange(done[row], done[last]) + (starts - done[:-1])[rows]
        row = last


def join_pairs(group: _Numbers, firsts: _Numbers, seconds: _Numbers) -> _Numbers:
    """Merge the groups of pairs (union-find).

    Args:
        group: The group of each of n things, named by its smallest index, of shape (n,).
        firsts: The first thing of each pair, of shape (n_pairs,).
        seconds: The second thing of each pair, of shape (n_pairs,).

    Returns:
        The groups, of shape (n,); a merged group is named by its smallest index.
    """
    differing = np.flatnonzero(group[firsts] != group[seconds])
    if not len(differing):
        return group
    firsts, seconds = firsts[differing], seconds[differing]
    smallest = np.arange(len(group))
    for first, second in np.unique(np.stack([group[firsts], group[seconds]], axis=1), axis=0).tolist():
        low, high = sorted((_find_root(smallest, first), _find_root(smallest, second)))
        smallest[high] = low
    for number in np.flatnonzero(smallest != np.arange(len(group))).tolist():
        smallest[number] = smallest[smallest[number]]
    return smallest[group]


def _find_root(smallest: _Numbers, number: int) -> int:
    """Return the group that this one was finally merged into, and shorten the path for later calls."""
    while smallest[number] != number:
        smallest[number] = smallest[smallest[number]]
        number = int(smallest[number])
    return number
