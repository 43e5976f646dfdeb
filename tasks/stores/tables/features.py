"""Features: the vector that a backbone computes from each image in each view."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.hashing import row_checksum
from tasks.domain.images.augmentation import IDENTITY
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket, ObjectChangedError
from tasks.stores.tables.lance_table import Table

_CHECKSUM = pa.field("checksum", pa.binary(16))
_TYPES = {"float32": pa.float32(), "float16": pa.float16()}


@dataclass(frozen=True)
class FeatureStore:
    """The table ``features/<fingerprint>`` of a store.

    Attributes:
        objects: The store's files.
        checksums: Their checksums.
        fingerprint: The hash that names the backbone.
        width: Numbers in each vector.
        precision: How they are written: float32 or float16.
    """

    objects: Bucket
    checksums: Checksums
    fingerprint: str
    width: int
    precision: str = "float32"

    def stored(self, view: str = IDENTITY) -> set[str]:
        """Return all images whose features in a view are stored; ``lacking`` asks about some of them."""
        return self._table().numbers.names(view)

    def lacking(self, images: Sequence[str], view: str = IDENTITY) -> list[str]:
        """List images whose features are not stored.

        Args:
            images: The images.
            view: The view.

        Returns:
            Those of them that lack it, in their order.
        """
        present = self.contains(pa.array(images, pa.string()), view)
        return [images[position] for position in np.flatnonzero(~present).tolist()]

    def contains(self, images: pa.Array, view: str = IDENTITY) -> NDArray[np.bool_]:
        """Check which images' features are stored.

        Args:
            images: The names of images.
            view: The view.

        Returns:
            A mask of shape ``(n_images,)``.
        """
        return self._table().numbers.contains(images, view)

    def add(self, images: Sequence[str], vectors: NDArray[np.float32], views: Sequence[str] = ()) -> None:
        """Write features in one commit.

        Args:
            images: The images.
            vectors: Their features, of shape ``(n_images, width)``.
            views: The view of each image; empty where each is the image as it is.

        Raises:
            PedigreeError: The table's rows are of another backbone.
        """
        self._prepared().append(self._rows(images, vectors, views))

    def write_fragments(
        self, images: Sequence[str], vectors: NDArray[np.float32], views: Sequence[str] = ()
    ) -> list[str]:
        """Write features that nobody reads before ``commit_fragments`` has their lines of text.

        Args:
            images: The images.
            vectors: Their features, of shape ``(n_images, width)``.
            views: The view of each image; empty where each is the image as it is.

        Returns:
            Lines of text, which any process may commit.

        Raises:
            PedigreeError: The table's rows are of another backbone.
        """
        return self._prepared().write_fragments(self._rows(images, vectors, views))

    def commit_fragments(self, fragments: Sequence[str]) -> int:
        """Make written features a part of the table, in one commit; return how many rows these are."""
        return self._table().commit_fragments(fragments)

    def _prepared(self) -> Table:
        """Return the table, whose rows have checksums from now on."""
        table = self._table()
        if not self._checked(table):
            self.add_checksums()
        return table

    def _rows(self, images: Sequence[str], vectors: NDArray[np.float32], views: Sequence[str]) -> pa.Table:
        stored_vectors = np.ascontiguousarray(vectors).astype(self.precision)
        view_names = list(views) or [IDENTITY] * len(images)
        column = pa.FixedSizeListArray.from_arrays(pa.array(stored_vectors.reshape(-1)), self.width)
        sums = pa.array(self._checksums(images, view_names, stored_vectors), _CHECKSUM.type)
        return pa.table([pa.array(images), pa.array(view_names), column, sums], schema=self._schema)

    def rows_without_checksum(self) -> int:
        """Count the rows of an earlier Pedigree that still lack a checksum."""
        stored = self._table().stored_schema()
        if stored is None or _CHECKSUM.name in stored.names:
            return 0
        return self._table().count_rows()

    def add_checksums(self) -> int:
        """Write the checksums that rows of an earlier Pedigree lack, of what lies there now.

        The store notes the day on which they were taken on trust. One run at a time may do so.

        Returns:
            The number of rows that got a checksum.
        """
        table, rows = self._table(), self.rows_without_checksum()
        if rows and not self._checked(table):
            table.add_column(_CHECKSUM, ["image", "view", "vector"], self._checksums_of)
        facts = {"taken_on_trust": rows, "since": datetime.now(UTC).date().isoformat()}
        self.objects.create(self._note, json.dumps(facts).encode())
        return rows

    def damaged_images(self, images: Sequence[str]) -> Iterator[str]:
        """Yield those of these images whose features in any view are not what was written."""
        requested, stored = set(images), self._table().stored_schema()
        if stored is None or _CHECKSUM.name not in stored.names:
            return
        for batch in self._table().scan(["image", "view", "vector", _CHECKSUM.name]):
            sums = zip(self._checksums_of(batch), batch[_CHECKSUM.name].to_pylist(), strict=True)
            names = batch["image"].to_pylist()
            yield from (
                name
                for name, (computed, written) in zip(names, sums, strict=True)
                if name in requested and computed != written
            )

    def read(self, images: Sequence[str], view: str = IDENTITY) -> NDArray[np.float32]:
        """Read the features of images in one view.

        Args:
            images: The images.
            view: The view.

        Returns:
            The features, float32 of shape ``(n_images, width)``, in the order of the images.
        """
        return self.read_views(images, [view])

    def read_views(self, images: Sequence[str], views: Sequence[str]) -> NDArray[np.float32]:
        """Read the features of images in several views.

        Args:
            images: The images.
            views: The views.

        Returns:
            The features, float32 of shape ``(n_views * n_images, width)``, one view after the other.
        """
        features = np.empty((len(images) * len(views), self.width), np.float32)
        for positions, vectors in self.stream(images, views):
            features[positions] = vectors
        return features

    def stream(
        self, images: Sequence[str], views: Sequence[str] = (IDENTITY,)
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating[Any]]]]:
        """Read the features of images in several views, a part at a time, in the order of the table.

        Args:
            images: The images.
            views: The views.

        Yields:
            The positions of a part among all images in the first view, then in the next one, int64 of shape
            ``(n_part,)``; and the vectors, of shape ``(n_part, width)``.

        Raises:
            PedigreeError: Features are missing, or are not what was written.
        """
        table = self._table()
        found = table.find(images, views)
        if not found.present().all():
            lacking = images[int(np.argmin(found.present())) % len(images)]
            message = f"The store {self.objects.url} lacks features of image {lacking!r} under backbone"
            raise PedigreeError(f"{message} {self.fingerprint[:12]}: start the run again, and it makes them.")
        columns = ["vector", _CHECKSUM.name] if self._checked(table) else ["vector"]
        for part, selection, positions in found.ascending(columns):
            vectors = part["vector"].flatten().to_numpy().reshape(-1, self.width)[selection]
            if len(columns) > 1:
                named = [(images[row % len(images)], views[row // len(images)]) for row in positions.tolist()]
                self._compare(named, vectors, part[_CHECKSUM.name].take(pa.array(selection)))
            yield positions, vectors

    @property
    def _note(self) -> str:
        return f"checksums/features-{self.fingerprint}.json"

    def _checksums(
        self, images: Sequence[str], views: Sequence[str], vectors: NDArray[np.floating[Any]]
    ) -> list[bytes]:
        pairs = zip(images, views, vectors, strict=True)
        return [row_checksum(f"{self.fingerprint}/{view}/{image}", vector.data) for image, view, vector in pairs]

    def _checksums_of(self, rows: pa.RecordBatch) -> list[bytes]:
        vectors = rows["vector"].flatten().to_numpy().reshape(-1, self.width)
        return self._checksums(rows["image"].to_pylist(), rows["view"].to_pylist(), vectors)

    def _compare(self, named: Sequence[tuple[str, str]], vectors: NDArray[np.floating[Any]], sums: pa.Array) -> None:
        """Raise PedigreeError that names the first image whose features are not what was written."""
        images, views = zip(*named, strict=True) if named else ((), ())
        computed_sums = self._checksums(images, views, vectors)
        for image, computed, written in zip(images, computed_sums, sums.to_pylist(), strict=True):
            if computed != written:
                raise PedigreeError(
                    f"The table features/{self.fingerprint} in {self.objects.url} is not what was written, first about "
                    f"image {image}: move it away, and the next run makes its features again."
                )

    def _checked(self, table: Table) -> bool:
        """Check whether the rows have checksums; raise PedigreeError where they had some once and have lost them."""
        stored = table.stored_schema()
        if stored is None or _CHECKSUM.name in stored.names:
            return stored is not None
        try:
            self.objects.read(self._note)
        except ObjectChangedError:
            return False
        raise PedigreeError(
            f"The table features/{self.fingerprint} in {self.objects.url} has lost its checksums: move it away, and "
            "the next run makes its features again."
        )

    @property
    def _schema(self) -> pa.Schema:
        vector = pa.list_(_TYPES[self.precision], self.width)
        return pa.schema(
            [("image", pa.string()), ("view", pa.string()), ("vector", vector), _CHECKSUM],
            {"backbone": self.fingerprint},
        )

    def _table(self) -> Table:
        """Open the table, and check that its rows are of this backbone."""
        stored = self._lance.stored_schema()
        if stored is not None:
            self._check(stored)
        return self._lance

    @cached_property
    def _lance(self) -> Table:
        return Table(self.objects, self.checksums, f"features/{self.fingerprint}", self._schema)

    def _check(self, stored: pa.Schema) -> None:
        table = f"The table features/{self.fingerprint} in {self.objects.url}"
        advice = "move it away, and the next run makes its features again."
        if not {"image", "view", "vector"} <= set(stored.names):
            raise PedigreeError(f"{table} was made by an older Pedigree, without views: {advice}")
        width = stored.field("vector").type.list_size
        if width != self.width:
            raise PedigreeError(
                f"{table} holds {width} numbers an image, and this backbone makes {self.width}: {advice}"
            )
        backbone = (stored.metadata or {}).get(b"backbone", b"").decode()
        if backbone != self.fingerprint:
            raise PedigreeError(f"{table} holds features of backbone {backbone[:12]}, which is another one: {advice}")
