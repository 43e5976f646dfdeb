"""What a backbone made of each image in each view, kept for good."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from configs.problems import Problem
from tasks.domain.views import IDENTITY
from tasks.stores.bucket import open_bucket
from tasks.stores.tables import Table

_TYPES = {"float32": pa.float32(), "float16": pa.float16()}


def remove_features(url: str, image: str) -> int:
    """Remove what every backbone of a store made of an image, and return how many these were."""
    names = {entry.key.split(".lance/")[0] for entry in open_bucket(url).entries("features/")}
    return sum(Table(url, name, pa.schema([])).remove(image) for name in sorted(names))


@dataclass(frozen=True)
class FeatureStore:
    """The table ``features/<fingerprint>`` of a store: vectors of so many numbers, written in this precision."""

    url: str
    fingerprint: str
    width: int
    precision: str = "float32"

    def known(self, view: str = IDENTITY) -> set[str]:
        """Name the images whose features in a view the store holds."""
        return set(self.known_in([view])[view])

    def known_in(self, views: Sequence[str]) -> dict[str, dict[str, int]]:
        """Map each view to the images that the store holds in it, and these to the first row that holds them.

        Raise Problem where the table's rows are of another backbone.
        """
        table = self._table().read(["image", "view"])
        numbers: dict[str, dict[str, int]] = {view: {} for view in views}
        columns = (table[name].to_pylist() for name in table.column_names)
        for number, (image, view) in enumerate(zip(*columns, strict=True)):
            if view in numbers:
                numbers[view].setdefault(image, number)
        return numbers

    def add(self, images: Sequence[str], vectors: NDArray[np.float32], views: Sequence[str] = ()) -> None:
        """Keep the features of these images, an array of shape (images, width), in one commit.

        Views go with the images one by one; without any, each is the picture as it is. Raise Problem where the
        table's rows are of another backbone.
        """
        table = self._table()
        flat = pa.array(np.ascontiguousarray(vectors).astype(self.precision).reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(flat, self.width)
        seen = pa.array(list(views) or [IDENTITY] * len(images))
        table.append(pa.table([pa.array(images), seen, column], schema=table.schema))

    def read(self, images: Sequence[str], view: str = IDENTITY) -> NDArray[np.float32]:
        """Return the features of these images in a view, in the order asked: (images, width)."""
        return self.read_views(images, [view])

    def read_views(self, images: Sequence[str], views: Sequence[str]) -> NDArray[np.float32]:
        """Return the features of these images in one view after the other: (views times images, width).

        Rows go straight from a few read at a time to their places. Raise Problem where one is missing.
        """
        numbers = self.known_in(views)
        try:
            rows = np.array([numbers[view][image] for view in views for image in images], np.int64)
        except KeyError as error:
            message = f"The store {self.url} lacks features of image {error} under backbone {self.fingerprint[:12]}"
            raise Problem(f"{message}: run the night again, and it makes them.") from None
        order, start = np.argsort(rows), 0
        found = np.empty((len(rows), self.width), np.float32)
        for part, asked in self._table().ascending(rows[order], ["vector"]):
            vectors = part["vector"].flatten().to_numpy().reshape(-1, self.width)
            found[order[start : start + len(asked)]] = vectors[asked]
            start += len(asked)
        return found

    def _table(self) -> Table:
        """Open the table; what it says of its rows must be what is expected of them."""
        vector = pa.list_(_TYPES[self.precision], self.width)
        schema = pa.schema(
            [("image", pa.string()), ("view", pa.string()), ("vector", vector)], {"backbone": self.fingerprint}
        )
        table = Table(self.url, f"features/{self.fingerprint}", schema)
        stored = table.stored()
        if stored is not None:
            self._check(stored)
        return table

    def _check(self, stored: pa.Schema) -> None:
        place = f"The table features/{self.fingerprint} in {self.url}"
        advice = "move it away, and the next night makes its features again."
        if not {"image", "view", "vector"} <= set(stored.names):
            raise Problem(f"{place} was made by an older Pedigree, without views: {advice}")
        width = stored.field("vector").type.list_size
        if width != self.width:
            raise Problem(f"{place} holds {width} numbers an image, and this backbone makes {self.width}: {advice}")
        backbone = (stored.metadata or {}).get(b"backbone", b"").decode()
        if backbone != self.fingerprint:
            raise Problem(f"{place} holds features of backbone {backbone[:12]}, which is another one: {advice}")
