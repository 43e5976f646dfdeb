"""Labelling images in columns: each image once, from what the sources of labels say about its keys."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.domain.columns import Codes, combine_codes, first_rows, folders_of, sort_order, starts_of_groups, whole
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.labeling import (
    SourceLabel,
    Spelling,
    collect_claims,
    normalize_aliases,
    normalize_name,
    read_layout,
)
from tasks.domain.labels.labelled_images import (
    Claim,
    Conflict,
    LabelledImages,
    Labelling,
    LocatedImage,
)

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Statements:
    """What the sources of labels say about each located object.

    Attributes:
        codes: The number of what they say about each object, int32 of shape (n_objects,).
        kinds: What they say, by number, in the order of their precedence: many objects have the same said of them.
    """

    codes: Codes
    kinds: Sequence[Sequence[SourceLabel]]

    @classmethod
    def by_key(cls, keys: pa.Array, source_labels: Mapping[str, Sequence[SourceLabel]]) -> Self:
        """Put statements about some keys into columns.

        Args:
            keys: The keys of the located objects, texts.
            source_labels: What the sources of labels say, by key; other keys than those located do not count.

        Returns:
            The statements, in the order of the located objects.
        """
        kinds: dict[tuple[SourceLabel, ...], int] = {(): 0}
        numbers = [kinds.setdefault(tuple(labels), len(kinds)) for labels in source_labels.values()]
        known = pc.index_in(keys, pa.array(list(source_labels), pa.string()))
        codes = np.array([*numbers, 0], np.int32)[np.asarray(pc.fill_null(known, len(numbers)))]
        return cls(codes, list(kinds))

    @classmethod
    def by_folder(cls, keys: pa.Array, layout: str) -> Self:
        """Read what the folders of the located objects say.

        Args:
            keys: The keys of the located objects, texts.
            layout: The meaning of each level of folders, separated by slashes.

        Returns:
            The statements, in the order of the located objects.
        """
        folders = folders_of(keys).dictionary_encode()
        kinds: dict[tuple[SourceLabel, ...], int] = {}
        numbers = [
            kinds.setdefault((read_layout(f"{folder}/" if folder else "", layout),), len(kinds))
            for folder in folders.dictionary.to_pylist()
        ]
        return cls(np.array(numbers, np.int32)[np.asarray(folders.indices)], list(kinds))

    @classmethod
    def join(cls, sources: Sequence[Self], size: int) -> Self:
        """Put what several sources say of the same objects together.

        Args:
            sources: The statements of each source of labels, in the order of their precedence.
            size: The number of objects.

        Returns:
            The statements of all of them.
        """
        if not sources:
            return cls(np.zeros(size, np.int32), [()])
        codes = combine_codes([source.codes for source in sources])
        kinds = [
            tuple(label for source in sources for label in source.kinds[source.codes[row]])
            for row in first_rows(codes).tolist()
        ]
        return cls(codes, kinds)

    def without(self, rows: NDArray[np.bool_]) -> Self:
        """Return the same statements, but for some objects of which nothing is said.

        Args:
            rows: A mask of these objects, of shape (n_objects,).

        Returns:
            The statements.
        """
        return type(self)(np.where(rows, len(self.kinds), self.codes).astype(np.int32), [*self.kinds, ()])

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Return the statements about a part of the objects.

        Args:
            rows: A mask of these objects, of shape (n_objects,).

        Returns:
            Their statements.
        """
        return type(self)(self.codes[rows], self.kinds)


class _Claimed(NamedTuple):
    """One row for each claim on each object, by image and then in the order of the objects.

    Attributes:
        rows: The object of each row.
        codes: The number of its claim.
        starts: The first row of each image.
        claims: The claims by number.
    """

    rows: Indices
    codes: Codes
    starts: Indices
    claims: list[Claim]


def label_images(
    located: pa.Table, statements: Statements, spelling: Spelling, missing: Iterable[str] = ()
) -> Labelling:
    """Label every image once; copies under one label count as one image, copies under two labels as a conflict.

    Args:
        located: The objects of the source whose bytes are known: the columns ``key`` and ``image``, sorted by key.
        statements: What the sources of labels say about each of them: the first source that has a label decides, and
            attributes are collected from all of them.
        spelling: Aliases, and the classes that are left out.
        missing: Keys that only a manifest knows.

    Returns:
        The labelled images, and those without one label.
    """
    keys, images = whole(located["key"]), whole(located["image"])
    order = sort_order(images)
    claimed = _claim(images, order, statements, normalize_aliases(spelling.aliases))
    labels = _number_labels(claimed.claims)[claimed.codes]
    conflicting = _differs(labels, claimed.starts)
    codes = _merge_copies(claimed, conflicting)
    first = claimed.rows[claimed.starts]
    rows = pa.array(first[~conflicting])
    single = LabelledImages(keys.take(rows), images.take(rows), codes[~conflicting], tuple(claimed.claims))
    out = {normalize_name(label).casefold() for label in spelling.leave_out}
    left_out = np.array([label.casefold() in out for label, _, _ in claimed.claims], np.bool_)[single.codes]
    return Labelling(
        labelled=single.take(~left_out) if left_out.any() else single,
        unlabelled=_unlabelled(keys, images, order, first),
        conflicts=tuple(_conflicts(keys, images, claimed, conflicting)),
        left_out=single.take(left_out),
        missing=tuple(sorted(set(missing))),
    )


def _claim(images: pa.Array, order: Indices, statements: Statements, aliases: Mapping[str, str]) -> _Claimed:
    claims: dict[Claim, int] = {}
    by_kind = [
        [claims.setdefault(claim, len(claims)) for claim in collect_claims(aliases, kind)] for kind in statements.kinds
    ]
    counts = np.array([len(codes) for codes in by_kind], np.int64)
    first = np.cumsum(counts) - counts
    kinds = statements.codes[order]
    times = counts[kinds]
    # Where sources give one object several labels, it has several rows, one after the other.
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    every = np.array([code for codes in by_kind for code in codes], np.int32)
    rows = np.repeat(order, times)
    return _Claimed(
        rows,
        every[np.repeat(first[kinds], times) + within],
        starts_of_groups(images.take(pa.array(rows))),
        list(claims),
    )


def _number_labels(claims: Sequence[Claim]) -> Codes:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label, _, _ in claims], np.int32)


def _differs(numbers: Codes, starts: Indices) -> NDArray[np.bool_]:
    """Check for each image whether its rows have different numbers."""
    if not len(starts):
        return np.zeros(0, np.bool_)
    return np.asarray(np.minimum.reduceat(numbers, starts) != np.maximum.reduceat(numbers, starts))


def _merge_copies(claimed: _Claimed, conflicting: NDArray[np.bool_]) -> Codes:
    """Return each image's claim: that of its first key, completed by the attributes that it lacks and a copy has."""
    codes = claimed.codes[claimed.starts]
    ends = np.append(claimed.starts[1:], len(claimed.codes))
    numbers = {claim: number for number, claim in enumerate(claimed.claims)}
    for image in np.flatnonzero(_differs(claimed.codes, claimed.starts) & ~conflicting).tolist():
        copies = [claimed.claims[code] for code in claimed.codes[claimed.starts[image] : ends[image]].tolist()]
        merged = (copies[0][0], _merge(copy[1] for copy in copies), _merge(copy[2] for copy in copies))
        if merged not in numbers:
            numbers[merged] = len(claimed.claims)
            claimed.claims.append(merged)
        codes[image] = numbers[merged]
    return codes


def _merge(copies: Iterable[Attributes]) -> Attributes:
    merged: dict[str, str] = {}
    for attributes in copies:
        merged = dict(attributes) | merged
    return tuple(sorted(merged.items()))


def _unlabelled(keys: pa.Array, images: pa.Array, order: Indices, claimed: Indices) -> tuple[LocatedImage, ...]:
    """Return the first object of each image that nothing is claimed of, by image."""
    ordered = images.take(pa.array(order))
    starts = starts_of_groups(ordered)
    number = np.cumsum(np.bincount(starts, minlength=len(order)))
    place = np.empty(len(order), np.int64)
    place[order] = number - 1
    lacking = np.setdiff1d(np.arange(len(starts)), place[claimed])
    rows = pa.array(order[starts[lacking]])
    return tuple(map(LocatedImage, keys.take(rows).to_pylist(), images.take(rows).to_pylist()))


def _conflicts(
    keys: pa.Array, images: pa.Array, claimed: _Claimed, conflicting: NDArray[np.bool_]
) -> Iterator[Conflict]:
    ends = np.append(claimed.starts[1:], len(claimed.codes))
    for image in np.flatnonzero(conflicting).tolist():
        claims: dict[tuple[str, str], None] = {}
        for row in range(claimed.starts[image], ends[image]):
            claims[claimed.claims[claimed.codes[row]][0], keys[claimed.rows[row]].as_py()] = None
        yield Conflict(images[claimed.rows[claimed.starts[image]]].as_py(), tuple(claims))
