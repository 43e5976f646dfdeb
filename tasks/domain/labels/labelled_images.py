"""Labelled images in columns, and the labelling that they are the largest part of."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.domain.columns import Codes, texts_at_once
from tasks.domain.labels.attributes import Attributes

#: A label with attributes and origins, which many images share.
Claim = tuple[str, Attributes, Attributes]


class LocatedImage(NamedTuple):
    """An object of the source whose bytes are known."""

    key: str
    image: str


class LabelledImage(NamedTuple):
    """An image with its label.

    Attributes:
        key: The first key, in sorted order, of the objects with these bytes.
        image: The SHA-256 of the bytes.
        label: The class.
        attributes: Names and values, sorted by name.
        origins: Which source the label and each attribute come from, by name.
    """

    key: str
    image: str
    label: str
    attributes: Attributes
    origins: Attributes


@dataclass(frozen=True, eq=False)
class LabelledImages(Sequence[LabelledImage]):
    """Labelled images in columns; those that are looked at one by one are made when they are asked for.

    Attributes:
        keys: Their keys, texts.
        images: Their images, texts.
        codes: The number of each image's claim, int32 of shape (n_images,).
        claims: The claims by number; some may be of no image.
    """

    keys: pa.Array
    images: pa.Array
    codes: Codes
    claims: tuple[Claim, ...]

    @classmethod
    def of(cls, rows: Iterable[LabelledImage]) -> Self:
        """Return labelled images in columns, where they may be already."""
        if isinstance(rows, cls):
            return rows
        listed = list(rows)
        claims: dict[Claim, int] = {}
        codes = [claims.setdefault((row.label, row.attributes, row.origins), len(claims)) for row in listed]
        keys, images = ([getattr(row, name) for row in listed] for name in ("key", "image"))
        return cls(pa.array(keys, pa.string()), pa.array(images, pa.string()), np.array(codes, np.int32), tuple(claims))

    def __len__(self) -> int:
        """Count the images."""
        return len(self.codes)

    def __iter__(self) -> Iterator[LabelledImage]:
        """Yield the images one by one."""
        claims = self.claims
        for key, image, code in zip(
            texts_at_once(self.keys), texts_at_once(self.images), self.codes.tolist(), strict=True
        ):
            yield LabelledImage(key, image, *claims[code])

    @overload
    def __getitem__(self, index: int) -> LabelledImage: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> LabelledImage | Self:
        """Return one image, or a part of them in columns."""
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        key, image = (column[range(len(self))[index]].as_py() for column in (self.keys, self.images))
        return LabelledImage(key, image, *self.claims[self.codes[index]])

    def __eq__(self, other: object) -> bool:
        """Compare with other labelled images, in whatever sequence they are."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(LabelledImage.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment] # like a list

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Return a part of the images.

        Args:
            rows: Indices, or a mask of shape (n_images,).

        Returns:
            The images at these indices, or those that the mask keeps.
        """
        indices = pa.array(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)
        return type(self)(self.keys.take(indices), self.images.take(indices), self.codes[rows], self.claims)

    def count_labels(self) -> Counter[str]:
        """Count the images of each label, in the order in which labels occur first."""
        used, first, counts = np.unique(self.codes, return_index=True, return_counts=True)
        labels = Counter[str]()
        for place in np.argsort(first).tolist():
            labels[self.claims[used[place]][0]] += int(counts[place])
        return labels

    def labels(self) -> list[str]:
        """Return the labels that occur, sorted."""
        return sorted({self.claims[code][0] for code in np.unique(self.codes).tolist()})


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same bytes, or the same key, under two labels.

    Attributes:
        image: The SHA-256 of the bytes.
        claims: Every pair of a label and the key that claims it.
    """

    image: str
    claims: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Labelling:
    """The result of labelling all located objects; every part is sorted.

    Attributes:
        labelled: Images with one label.
        unlabelled: Images without a label.
        conflicts: Images with two labels.
        left_out: Images of classes that are left out.
        missing: Keys that only a manifest knows.
    """

    labelled: Sequence[LabelledImage]
    unlabelled: tuple[LocatedImage, ...]
    conflicts: tuple[Conflict, ...]
    left_out: Sequence[LabelledImage] = ()
    missing: tuple[str, ...] = ()
