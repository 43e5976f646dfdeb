"""What a backbone made of each image, kept for good."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.stores.bucket import open_bucket
from tasks.stores.tables import Table


def remove_features(url: str, image: str) -> int:
    """Remove what every backbone of a store made of an image, and return how many these were."""
    names = {entry.key.split(".lance/")[0] for entry in open_bucket(url).entries("features/")}
    return sum(Table(url, name, pa.schema([])).remove(image) for name in sorted(names))


@dataclass(frozen=True)
class FeatureStore:
    """The table ``features/<fingerprint>`` of a store: vectors of so many numbers."""

    url: str
    fingerprint: str
    width: int

    def known(self) -> set[str]:
        """Name the images whose features the store holds."""
        return set(self._table().read(["image"])["image"].to_pylist())

    def add(self, images: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep the features of these images, an array of shape (images, width), in one commit."""
        flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(flat, self.width)
        self._table().append(pa.table([pa.array(images), column], schema=self._table().schema))

    def read(self, images: Sequence[str]) -> NDArray[np.float32]:
        """Return the features of these images, in the order asked: (images, width)."""
        found = np.empty((len(images), self.width), np.float32)
        start = 0
        for part in self._table().take(images, ["vector"]):
            vectors = part["vector"].combine_chunks().flatten().to_numpy().reshape(-1, self.width)
            found[start : start + len(vectors)] = vectors
            start += len(vectors)
        return found

    def _table(self) -> Table:
        schema = pa.schema([("image", pa.string()), ("vector", pa.list_(pa.float32(), self.width))])
        return Table(self.url, f"features/{self.fingerprint}", schema)
