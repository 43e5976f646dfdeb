"""Near duplicates: pictures that look the same, grouped by perceptual hashes.

Measured in docs/explanation/near-duplicates.md.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.domain.images.color_management import small_grey

# Names the column of the hashes in the store: another kind of hash gets another name, so that no two kinds ever mix.
METHOD = "phash-16x16"
HASH_BYTES = 32
_SHRUNK, _COSINES = 64, 16
# Whole numbers, so that sums are exact whatever order a machine adds in: at most 255 x 64 x 64 x 2^32 < 2^53.
_DCT = np.rint(np.cos(np.outer(np.arange(_COSINES), 2 * np.arange(_SHRUNK) + 1) * (np.pi / (2 * _SHRUNK))) * 2**16)

# Bit 16 u + v of a hash is the sign of the cosine of frequency u downwards and v sideways. The signs of the lowest few
# change least when a picture is cropped or turned: the 36 with the smallest u + v, without the mean, are its outline.
_LOWEST = sorted(range(256), key=lambda bit: (sum(divmod(bit, 16)), max(divmod(bit, 16)), bit))[1:37]
OUTLINE_BITS = 5
# The outline is cut into nine blocks of four bits, neighbours in different ones. Five differing bits leave four blocks
# alone, so two outlines that are close agree in at least one of the 126 choices of four blocks.
_BLOCKS, _WIDTH, _AGREEING = 9, 4, 4
OUTLINE = [bit for block in range(_BLOCKS) for bit in _LOWEST[block::_BLOCKS]]
_CHOICES = list(combinations(range(_BLOCKS), _AGREEING))
_MASKS = np.array([sum(1 << block for block in choice) for choice in _CHOICES])
_FIRST_CHOICE = ((np.arange(1 << _BLOCKS)[:, None] & _MASKS) == _MASKS).argmax(axis=1)
# A mirrored picture turns the sign of every cosine of odd frequency sideways: every other bit.
MIRROR = np.uint8(0x55)
_PAIRS_AT_ONCE = 1 << 20  # About 100 MB.

_Numbers = NDArray[np.intp]
_Pairs = tuple[_Numbers, _Numbers]
_Outlines = NDArray[np.uint64]


def perceptual_hash(picture: Image.Image) -> bytes:
    """Compute the 256-bit pHash of a picture: the signs of its lowest 16 x 16 cosines against their median.

    Source: Zauner, 2010, "Implementation and benchmarking of perceptual image hash functions", as imagehash does it.
    """
    return hash_levels(shrink(picture))


def shrink(picture: Image.Image) -> NDArray[np.float64]:
    """Stretch a picture to the grey levels that are hashed: (64, 64)."""
    small = small_grey(picture).resize((_SHRUNK, _SHRUNK), Image.Resampling.LANCZOS, reducing_gap=1.5)
    return np.asarray(small, np.float64)


def hash_levels(levels: NDArray[np.float64]) -> bytes:
    """Compute the perceptual hash of the grey levels of a picture, (64, 64)."""
    cosines = (_DCT @ levels @ _DCT.T).ravel()
    # NumPy's own median takes seven times as long.
    below, above = np.sort(cosines)[cosines.size // 2 - 1 : cosines.size // 2 + 1]
    return np.packbits(cosines > (below + above) / 2).tobytes()


def group_near_duplicates(hashes: Mapping[str, bytes], bits: int) -> dict[str, str]:
    """Group images that look alike, also through others; a group is named by its smallest image.

    Two images look alike if their hashes, one of them mirrored or not, differ in at most so many of the 256 bits, and
    in at most five of the 36 that are their outlines. Outlines that agree in a block are found by sorting, so the work
    grows with the images and not with their pairs (Manku, Jain, Das Sarma: Detecting near-duplicates for web crawling,
    WWW 2007).
    """
    images = sorted(hashes)
    if not images:
        return {}
    rows = np.frombuffer(b"".join(hashes[image] for image in images), np.uint8).reshape(-1, HASH_BYTES)
    distinct, number = np.unique(rows, axis=0, return_inverse=True)
    group = _grouped(distinct, bits)[number.ravel()]
    _, smallest, group_index = np.unique(group, return_index=True, return_inverse=True)
    return {image: images[first] for image, first in zip(images, smallest[group_index].tolist(), strict=True)}


def join_groups(group_of: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join the groups of images that belong together for another reason; a group is named by its smallest image."""
    names = sorted(set(group_of.values()))
    number = {name: index for index, name in enumerate(names)}
    ends = [
        (number[group_of[first]], number[group_of[second]])
        for first, second in pairs
        if group_of[first] != group_of[second]
    ]
    first, second = np.array(ends, np.intp).reshape(-1, 2).T
    group = _join_pairs(np.arange(len(names)), first, second)
    return {image: names[group[number[name]]] for image, name in group_of.items()}


def nearest_hashes(hashes: Sequence[bytes], other_hashes: Sequence[bytes], bits: int) -> tuple[_Numbers, _Numbers]:
    """Find for each hash the place of the most alike of the others, and in how many bits they differ.

    Args:
        hashes: n hashes of 32 bytes.
        other_hashes: m hashes, of which each is compared as it is and mirrored.
        bits: So many bits may differ between two that are alike, as in ``group_near_duplicates``.

    Returns:
        The places and the bits, of the shape (n,); more than the allowed bits where none is alike.
    """
    query_hashes = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES)
    upright = np.frombuffer(b"".join(other_hashes), np.uint8).reshape(-1, HASH_BYTES)
    oriented_hashes = np.concatenate([upright, upright ^ MIRROR])
    words, outlines = oriented_hashes.view(np.uint64), _outlines(oriented_hashes)
    places, apart = np.empty(len(query_hashes), np.intp), np.empty(len(query_hashes), np.intp)
    for start in range(0, len(query_hashes), step := max(1, _PAIRS_AT_ONCE // len(oriented_hashes))):
        rows = query_hashes[start : start + step]
        differing = np.bitwise_count(rows.view(np.uint64)[:, None] ^ words[None]).sum(axis=2, dtype=np.intp)
        differing[np.bitwise_count(_outlines(rows)[:, None] ^ outlines[None]) > OUTLINE_BITS] = bits + 1
        best = differing.argmin(axis=1)
        places[start : start + step] = best % len(upright)
        apart[start : start + step] = differing[np.arange(len(rows)), best]
    return places, apart


def _grouped(hashes: NDArray[np.uint8], bits: int) -> _Numbers:
    """Give each of n distinct hashes (n, 32) the number of its group (n,); entry n + i is entry i mirrored."""
    oriented_hashes = np.concatenate([hashes, hashes ^ MIRROR])
    words, count = oriented_hashes.view(np.uint64), len(hashes)
    outlines, outline_of = np.unique(_outlines(oriented_hashes), return_inverse=True)
    order = np.argsort(outline_of, kind="stable")
    starts = np.searchsorted(outline_of[order], np.arange(len(outlines) + 1))
    upright = starts[:-1] + np.bincount(outline_of[:count], minlength=len(outlines))
    group = np.arange(count)
    for pairs in _close(outlines):
        for first, second in _entry_pairs(pairs, starts, upright):
            first_entry, second_entry = order[first], order[second]
            news = (first_entry < second_entry % count) & (group[first_entry] != group[second_entry % count])
            first_entry, second_entry = first_entry[news], second_entry[news]
            alike = np.bitwise_count(words[first_entry] ^ words[second_entry]).sum(axis=1, dtype=np.intp) <= bits
            group = _join_pairs(group, first_entry[alike], second_entry[alike] % count)
    return group


def _outlines(hashes: NDArray[np.uint8]) -> _Outlines:
    """Make one number of the bits of each outline: (n, 32) to (n,)."""
    bits = np.unpackbits(hashes, axis=1)[:, OUTLINE].astype(np.uint64)
    outlines: _Outlines = (bits << np.arange(len(OUTLINE), dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
    return outlines


def _close(outlines: _Outlines) -> Iterator[_Pairs]:
    """Yield each pair of outlines, by number, that differ in few enough bits, once; first each with itself."""
    numbers = np.arange(len(outlines))
    yield numbers, numbers
    for number, choice in enumerate(_CHOICES):
        key = _key(outlines, choice)
        order = np.argsort(key, kind="stable")
        ordered = outlines[order]
        for first, second in expand_ranges(numbers + 1, _run_ends(key[order])):
            differing = ordered[first] ^ ordered[second]
            near = np.flatnonzero(np.bitwise_count(differing) <= OUTLINE_BITS)
            news = near[_FIRST_CHOICE[_agreeing(differing[near])] == number]
            yield order[first[news]], order[second[news]]


def _run_ends(keys: NDArray[np.uint16]) -> _Numbers:
    """Give each of the sorted keys the place where the run of its equals ends."""
    ends = np.flatnonzero(np.append(keys[1:] != keys[:-1], True)) + 1
    return np.repeat(ends, np.diff(ends, prepend=0))


def _key(outlines: _Outlines, choice: tuple[int, ...]) -> NDArray[np.uint16]:
    """Put the chosen blocks of each outline side by side."""
    key = np.zeros(len(outlines), np.uint64)
    for block in choice:
        key = key << np.uint64(_WIDTH) | _block(outlines, block)
    return key.astype(np.uint16)


def _agreeing(differing: _Outlines) -> _Numbers:
    """Tell by one bit a block which blocks of two outlines are the same."""
    same = np.zeros(len(differing), np.intp)
    for block in range(_BLOCKS):
        same |= (_block(differing, block) == 0).astype(np.intp) << block
    return same


def _block(outlines: _Outlines, block: int) -> _Outlines:
    return outlines >> np.uint64(_WIDTH * block) & np.uint64((1 << _WIDTH) - 1)


def _entry_pairs(pairs: _Pairs, starts: _Numbers, upright: _Numbers) -> Iterator[_Pairs]:
    """Yield the places of entries that have one outline of a pair with those of the other's; the first is upright.

    The entries of an outline stand together from its start to the next one's, those that are not mirrored first.
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
    """Yield each row's number with each place from its start to before its end, some at once."""
    counts = ends - starts
    done = np.concatenate([[0], np.cumsum(counts)])
    row = 0
    while done[row] < done[-1]:
        last = max(row + 1, int(np.searchsorted(done, done[row] + _PAIRS_AT_ONCE, side="right")) - 1)
        rows = np.repeat(np.arange(row, last), counts[row:last])
        yield rows, np.arange(done[row], done[last]) + (starts - done[:-1])[rows]
        row = last


def _join_pairs(group: _Numbers, firsts: _Numbers, seconds: _Numbers) -> _Numbers:
    """Join the groups of each pair; a group keeps its smallest number."""
    smallest = np.arange(len(group))
    for first, second in np.unique(np.stack([group[firsts], group[seconds]], axis=1), axis=0).tolist():
        low, high = sorted((_end(smallest, first), _end(smallest, second)))
        smallest[high] = low
    for number in np.flatnonzero(smallest != np.arange(len(group))).tolist():
        smallest[number] = smallest[smallest[number]]
    return smallest[group]


def _end(smallest: _Numbers, number: int) -> int:
    """Follow a group to the one that it was joined to in the end, and shorten the way for the next."""
    while smallest[number] != number:
        smallest[number] = smallest[smallest[number]]
        number = int(smallest[number])
    return number
