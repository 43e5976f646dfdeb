"""Images in columns of which many share a label with all that belongs to it; single ones are made when asked for."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from operator import eq
from typing import Any, Self, TypeVar, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.domain.columns import Codes

#: One image with its label.
T = TypeVar("T")


class LabelColumns(Sequence[T]):
    """Images with their labels, whatever else is known of them.

    Attributes:
        images: The images, texts.
        keys: Where they were found in the source, texts.
        codes: The number of what each image shares with others, int32 of shape (n_images,).
    """

    images: pa.Array
    keys: pa.Array
    codes: Codes

    @property
    @abstractmethod
    def shared(self) -> tuple[tuple[Any, ...], ...]:
        """What images share, by number: the label comes first. Some may be of no image."""

    @abstractmethod
    def _select(self, rows: NDArray[np.int64] | NDArray[np.bool_], images: pa.Array, keys: pa.Array) -> Self:
        """Return a part of the images, of which two columns are selected already."""

    def __len__(self) -> int:
        """Count the images."""
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> T | Self:
        """Return one image, or a part of them in columns."""
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return next(iter(self.take(np.array([range(len(self))[index]]))))

    def __eq__(self, other: object) -> bool:
        """Compare with other images, in whatever sequence they are."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment] # like a list

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Return a part of the images.

        Args:
            rows: Indices, or a mask of shape (n_images,).

        Returns:
            The images at these indices, or those that the mask keeps.
        """
        indices = pa.array(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)
        return self._select(rows, self.images.take(indices), self.keys.take(indices))

    def count_labels(self) -> Counter[str]:
        """Count the images of each label, in the order in which labels occur first."""
        used, first, counts = np.unique(self.codes, return_index=True, return_counts=True)
        labels = Counter[str]()
        for row in np.argsort(first).tolist():
            labels[self.shared[used[row]][0]] += int(counts[row])
        return labels

    def labels(self) -> list[str]:
        """Return the labels that occur, sorted."""
        return sorted({self.shared[code][0] for code in np.unique(self.codes).tolist()})

    def label_codes(self, labels: Sequence[str]) -> Codes:
        """Return the number of each image's label among some.

        Args:
            labels: The labels.

        Returns:
            The numbers, int32 of shape (n_images,); -1 for a label that is not among them.
        """
        numbers = {label: number for number, label in enumerate(labels)}
        return np.array([numbers.get(shared[0], -1) for shared in self.shared], np.int32)[self.codes]
