"""The rows of a dataset version in columns, the hash that names it, and the classes that are held back."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.domain.columns import (
    Codes,
    encode_rows,
    json_texts,
    sort_order,
    spread,
    starts_of_groups,
    texts_at_once,
    update_with_lines,
    whole,
)
from tasks.domain.datasets.assignments import SPLITS
from tasks.domain.datasets.manifest import Row, canonical_columns
from tasks.domain.datasets.splits import Split
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.label_columns import LabelColumns

#: Names and types of the columns of a manifest.
VERSION_ROWS = pa.schema(
    [
        ("image", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("key", pa.string()),
    ]
)
_SPLIT_NUMBERS = {split.value: number for number, split in enumerate(SPLITS)}
# Must change whenever the meaning of a row changes, so that versions of different meaning never share a hash.
_HASH_PREFIX = b"pedigree dataset 1\n"
_HASH = "^[0-9a-f]{64}$"


@dataclass(frozen=True, eq=False)
class VersionRows(LabelColumns[Row]):
    """Rows of a dataset version in columns; those that are looked at one by one are made when they are asked for.

    Attributes:
        images: The images, texts.
        keys: Where they were found in the source, texts.
        splits: The number of each image's split in ``SPLITS``, int8 of shape (n_images,).
        codes: The number of each image's label and attributes, int32 of shape (n_images,).
        kinds: Labels with attributes by number; some may be of no image.
    """

    images: pa.Array
    keys: pa.Array
    splits: NDArray[np.int8]
    codes: Codes
    kinds: tuple[tuple[str, Attributes], ...]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """Return rows in columns, where they may be already."""
        if isinstance(rows, cls):
            return rows
        listed = list(rows)
        kinds: dict[tuple[str, Attributes], int] = {}
        codes = [kinds.setdefault((row.label, row.attributes), len(kinds)) for row in listed]
        images, keys = (pa.array([getattr(row, name) for row in listed], pa.string()) for name in ("image", "key"))
        splits = np.array([_SPLIT_NUMBERS[row.split.value] for row in listed], np.int8)
        return cls(images, keys, splits, np.array(codes, np.int32), tuple(kinds))

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Read rows from a table whose columns are those of ``VERSION_ROWS``; raise KeyError where one has no split."""
        codes, kinds = encode_rows(table, ["label", "attributes"])
        words, names = encode_rows(table, ["split"])
        numbers = np.array([_SPLIT_NUMBERS[name] for (name,) in names], np.int8)
        return cls(whole(table["image"]), whole(table["key"]), numbers[words], codes, tuple(kinds))

    def to_table(self) -> pa.Table:
        """Return the rows as a table whose columns are those of ``VERSION_ROWS``."""
        labels, attributes = zip(*self.kinds, strict=True) if self.kinds else ((), ())
        columns = {
            "image": self.images,
            "label": spread(labels, self.codes, pa.string()),
            "split": spread(_SPLIT_NUMBERS, self.splits.astype(np.int32), pa.string()),
            "attributes": spread(attributes, self.codes, VERSION_ROWS.field("attributes").type),
            "key": self.keys,
        }
        return pa.table(columns, schema=VERSION_ROWS)

    @property
    def nbytes(self) -> int:
        """The bytes that the columns take."""
        return int(self.images.nbytes + self.keys.nbytes + self.splits.nbytes + self.codes.nbytes)

    @property
    def shared(self) -> tuple[tuple[str, Attributes], ...]:
        """Labels with attributes, by number."""
        return self.kinds

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows one by one."""
        texts = texts_at_once(self.images), texts_at_once(self.keys)
        for image, key, split, code in zip(*texts, self.splits.tolist(), self.codes.tolist(), strict=True):
            label, attributes = self.kinds[code]
            yield Row(image, label, SPLITS[split], attributes, key)

    def _select(self, rows: NDArray[np.int64] | NDArray[np.bool_], images: pa.Array, keys: pa.Array) -> Self:
        return type(self)(images, keys, self.splits[rows], self.codes[rows], self.kinds)

    def of_split(self, *splits: Split) -> Self:
        """Return the rows that are in one of these splits."""
        return self.take(np.isin(self.splits, [SPLITS.index(split) for split in splits]))

    def in_order(self) -> Self:
        """Return the rows sorted by image, which most are from the start."""
        ordered = len(self) < 2 or pc.all(pc.less_equal(self.images[:-1], self.images[1:])).as_py()  # noqa: PLR2004 - one row is in order
        return self if ordered else self.take(sort_order(self.images))


def dataset_hash(rows: Iterable[Row]) -> str:
    """Compute the hash that names a dataset version: SHA-256 over its sorted rows, as 64 hexadecimal digits."""
    digest, ordered = hashlib.sha256(_HASH_PREFIX), VersionRows.of(rows).in_order()
    kinds = ordered.codes.astype(np.int64) * len(SPLITS) + ordered.splits
    used, codes = np.unique(kinds, return_inverse=True)
    shared = []
    for kind in used.tolist():
        label, attributes = ordered.kinds[kind // len(SPLITS)]
        shared.append("," + canonical_columns(label, SPLITS[kind % len(SPLITS)], attributes).decode() + "]")
    parts = ["[", json_texts(ordered.images), spread(shared, codes.astype(np.int32), pa.string())]
    if _are_hashes(ordered.images):
        update_with_lines(digest, parts, b"\n")
        digest.update(b"\n" if len(ordered) else b"")
    else:
        # Names that are no hashes may be in another order than the lines that begin with them.
        for line in sorted(line.encode() for line in pc.binary_join_element_wise(*parts, "").to_pylist()):
            digest.update(line + b"\n")
    return digest.hexdigest()


def _are_hashes(images: pa.Array) -> bool:
    """Check whether sorted names are hashes, all of them different."""
    distinct = len(starts_of_groups(images)) == len(images)
    return distinct and pc.all(pc.match_substring_regex(images, _HASH)).as_py() is not False


@dataclass(frozen=True, slots=True)
class WaitingClass:
    """A class that is held back.

    Attributes:
        label: The class.
        images: How many usable images it has.
        reason: What it lacks, in words.
    """

    label: str
    images: int
    reason: str


@dataclass(frozen=True, slots=True)
class ClassSelection:
    """The rows of the classes that are learned, sorted by image, and the classes that wait."""

    rows: VersionRows
    waiting: tuple[WaitingClass, ...]


def select_classes(rows: Iterable[Row], minimum: int) -> ClassSelection:
    """Select the classes that are learned; a class with too few images, or with none to train on, is held back.

    Args:
        rows: The rows of all classes.
        minimum: The smallest number of images of a class, without those that are held out.

    Returns:
        The rows of the other classes, and the classes that are held back.
    """
    columns = VersionRows.of(rows)
    labels = columns.labels()
    codes = columns.label_codes(labels)
    counts = np.zeros((len(labels), len(SPLITS)), np.int64)
    np.add.at(counts, (codes, columns.splits), 1)
    held_out, train = SPLITS.index(Split.HELD_OUT), SPLITS.index(Split.TRAIN)
    usable = counts.sum(axis=1) - counts[:, held_out]
    waiting = []
    for label, images, trained in zip(labels, usable.tolist(), counts[:, train].tolist(), strict=True):
        if images < minimum:
            lacks = f"{images:,} of {minimum:,} images, lacks {minimum - images:,}"
            waiting.append(WaitingClass(label, images, lacks))
        elif not trained:
            waiting.append(WaitingClass(label, images, "none of its images is in the training split"))
    held_back = {waiting_class.label for waiting_class in waiting}
    if held_back:
        columns = columns.take(np.array([label not in held_back for label in labels], np.bool_)[codes])
    return ClassSelection(columns.in_order(), tuple(waiting))
