"""Labelled images in columns, and the labelling that they are the largest part of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.domain.columns import Codes, texts_at_once
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.label_columns import LabelColumns

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
class LabelledImages(LabelColumns[LabelledImage]):
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

    @property
    def shared(self) -> tuple[Claim, ...]:
        """The claims, by number."""
        return self.claims

    def __iter__(self) -> Iterator[LabelledImage]:
        """Yield the images one by one."""
        claims = self.claims
        for key, image, code in zip(
            texts_at_once(self.keys), texts_at_once(self.images), self.codes.tolist(), strict=True
        ):
            yield LabelledImage(key, image, *claims[code])

    def _select(self, rows: NDArray[np.int64] | NDArray[np.bool_], images: pa.Array, keys: pa.Array) -> Self:
        return type(self)(keys, images, self.codes[rows], self.claims)


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
