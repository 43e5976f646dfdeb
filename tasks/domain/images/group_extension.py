"""Near-duplicate groups that grow: pictures that are grouped already are not compared with each other again."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tasks.domain.images.near_duplicates import (
    MIRROR,
    OUTLINE_BITS,
    expand_ranges,
    group_hashes,
    join_pairs,
    pack_outlines,
)

#: The group of a picture that must be compared with all others.
UNGROUPED = -1
# Two outlines that differ in at most five of their 36 bits differ in at most two bits of one of their halves. So each
# half of a new outline is looked up as it is and with each one or two of its bits flipped, which is complete.
_HALF = 18
_VARIANTS = np.array([sum(1 << bit for bit in bits) for size in (0, 1, 2) for bits in combinations(range(_HALF), size)])
# Where more than this share is new, grouping all at once takes less time.
_MOST_NEW = 0.5
# New pictures in one round: 172 variants of each half, upright and mirrored, take about 50 MB.
_AT_ONCE = 2048

_Numbers = NDArray[np.intp]
_Hashes = NDArray[np.uint8]
_Outlines = NDArray[np.uint64]


def extend_groups(hashes: _Hashes, groups: _Numbers, bits: int) -> _Numbers:
    """Group pictures of which most are grouped already, exactly as if all were grouped at once.

    Args:
        hashes: The perceptual hash of each picture, of shape (n, 32).
        groups: The smallest index in the group of each picture, of shape (n,); ``UNGROUPED`` for new ones, and for
            those whose group has lost a member. Pictures of two groups are not alike.
        bits: How many of the 256 bits of two hashes may differ.

    Returns:
        The smallest index in the group of each picture, of shape (n,).
    """
    numbers = np.arange(len(hashes))
    new = np.flatnonzero(groups == UNGROUPED)
    if len(new) > _MOST_NEW * len(hashes):
        return group_hashes(hashes, bits)
    first = _first_equal(hashes) if len(new) else numbers
    # Equal hashes are one group; only the first of them is looked up and found.
    extended = join_pairs(np.where(groups == UNGROUPED, numbers, groups), numbers, first)
    index = _OutlineIndex(hashes, np.flatnonzero(first == numbers))
    queries = new[first[new] == new]
    for start in range(0, len(queries), _AT_ONCE):
        for rows, others in index.find_alike(queries[start : start + _AT_ONCE], bits):
            extended = join_pairs(extended, rows, others)
    return extended


def keep_groups(groups: _Numbers, positions: _Numbers, count: int) -> _Numbers:
    """Carry groups over to a list of pictures from which some are gone, and to which others were added.

    Args:
        groups: The smallest former index in the group of each former picture, of shape (n_former,).
        positions: The new index of each former picture, in the same order, of shape (n_former,); -1 for those that are
            gone or that have another hash now.
        count: The number of pictures now.

    Returns:
        The groups as ``extend_groups`` takes them, of shape (count,). All of a group that has lost a member are
        ungrouped, since it may have held the others together.
    """
    broken = np.zeros(len(groups), bool)
    broken[groups[positions < 0]] = True
    kept = (positions >= 0) & ~broken[groups]
    carried = np.full(count, UNGROUPED, np.intp)
    carried[positions[kept]] = positions[groups[kept]]
    return carried


class _OutlineIndex:
    """Pictures sorted by either half of their outlines."""

    def __init__(self, hashes: _Hashes, rows: _Numbers) -> None:
        self._hashes, self._words = hashes, hashes.view(np.uint64)
        outlines = pack_outlines(hashes[rows])
        self._halves = []
        for half in range(2):
            order, starts = sort_into_buckets(_half(outlines, half), _HALF)
            self._halves.append((rows[order], starts, outlines[order]))

    def find_alike(self, queries: _Numbers, bits: int) -> Iterator[tuple[_Numbers, _Numbers]]:
        """Yield the rows of queries and of the pictures that look like them, upright or mirrored."""
        oriented = np.concatenate([self._hashes[queries], self._hashes[queries] ^ MIRROR])
        outlines, words, rows = pack_outlines(oriented), oriented.view(np.uint64), np.concatenate([queries, queries])
        for half, (entries, starts, sorted_outlines) in enumerate(self._halves):
            buckets = (_half(outlines, half)[:, None] ^ _VARIANTS).ravel()
            for probe, position in expand_ranges(starts[buckets], starts[buckets + 1]):
                near = np.bitwise_count(outlines[probe // len(_VARIANTS)] ^ sorted_outlines[position]) <= OUTLINE_BITS
                query, entry = probe[near] // len(_VARIANTS), entries[position[near]]
                alike = np.bitwise_count(words[query] ^ self._words[entry]).sum(axis=1, dtype=np.intp) <= bits
                yield rows[query[alike]], entry[alike]


def sort_into_buckets(keys: _Numbers, width: int) -> tuple[_Numbers, _Numbers]:
    """Sort numbers by counting them.

    Args:
        keys: Numbers from zero to below 2^width, of shape (n,).
        width: The number of their bits.

    Returns:
        The order that sorts them, of shape (n,), and where each number starts in it, of shape (2^width + 1,).
    """
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << width))])
    # Sorting numbers that bear their own index is three times as fast as finding the order of sorting.
    return np.sort(keys << 32 | np.arange(len(keys))) & 0xFFFFFFFF, starts


def _half(outlines: _Outlines, half: int) -> _Numbers:
    return (outlines >> np.uint64(_HALF * half) & np.uint64((1 << _HALF) - 1)).astype(np.intp)


def _first_equal(hashes: _Hashes) -> _Numbers:
    """Return for each hash the index of the first one that equals it, of shape (n,)."""
    words = hashes.view(np.uint64)
    # Odd multipliers keep what tells two words apart; rows that fall together all the same are told apart below.
    mixed = np.bitwise_xor.reduce(words * np.array([1, 3, 5, 7], np.uint64), axis=1)
    _, first, inverse = np.unique(mixed, return_index=True, return_inverse=True)
    found = first[inverse]
    return np.where((words == words[found]).all(axis=1), found, np.arange(len(hashes)))
