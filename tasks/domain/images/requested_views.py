"""The views that are requested of images, in columns: a million images share a few choices of views."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.domain.columns import Codes, texts_at_once


@dataclass(frozen=True, eq=False)
class RequestedViews(Mapping[str, tuple[str, ...]]):
    """The views that are requested of each image.

    Attributes:
        images: The images, texts, each of them once.
        codes: The number of each image's choice of views, int32 of shape (n_images,).
        choices: The choices of views, by number.
    """

    images: pa.Array
    codes: Codes
    choices: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, requested: Mapping[str, Sequence[str]]) -> Self:
        """Return requested views in columns, where they may be already."""
        if isinstance(requested, cls):
            return requested
        choices: dict[tuple[str, ...], int] = {}
        codes = [choices.setdefault(tuple(views), len(choices)) for views in requested.values()]
        return cls(pa.array(list(requested), pa.string()), np.array(codes, np.int32), tuple(choices))

    def __len__(self) -> int:
        """Count the images."""
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        """Yield the images."""
        return texts_at_once(self.images)

    def __getitem__(self, image: str) -> tuple[str, ...]:
        """Return the views that are requested of an image."""
        return self.choices[self.codes[self._rows[image]]]

    def views(self) -> list[str]:
        """Return the views that are requested of any image, sorted."""
        return sorted({view for code in np.unique(self.codes).tolist() for view in self.choices[code]})

    def rows_with(self, view: str) -> NDArray[np.int64]:
        """Return the rows of the images of which a view is requested.

        Args:
            view: The view.

        Returns:
            Row numbers, ascending, int64 of shape (n_rows,).
        """
        return np.flatnonzero(np.array([view in views for views in self.choices], np.bool_)[self.codes])

    def select(self, lacking: Mapping[str, NDArray[np.bool_]]) -> dict[str, tuple[str, ...]]:
        """Return the images of which something is lacking.

        Args:
            lacking: For each view a mask of shape (n_images,) of the images that lack it.

        Returns:
            The lacking views by image, in the order of the images; the views as they were requested.
        """
        any_lacking = np.zeros(len(self), np.bool_)
        for mask in lacking.values():
            any_lacking |= mask
        rows = np.flatnonzero(any_lacking)
        images = self.images.take(pa.array(rows)).to_pylist()
        return {
            image: tuple(view for view in self.choices[code] if lacking[view][row])
            for image, row, code in zip(images, rows.tolist(), self.codes[rows].tolist(), strict=True)
        }

    @cached_property
    def _rows(self) -> dict[str, int]:
        return dict(zip(self.images.to_pylist(), range(len(self)), strict=True))
