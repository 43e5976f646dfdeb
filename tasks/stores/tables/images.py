"""Images: the original bytes of each, once, and what was measured when it was decoded."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.near_duplicates import METHOD
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket
from tasks.stores.objects.originals import LostOriginalError, parse_reference, resolve
from tasks.stores.tables.found_rows import FoundRows
from tasks.stores.tables.image_rows import MIDDLE, PARTS, SCHEMA, image_info, image_rows
from tasks.stores.tables.lance_table import LOOKED_UP, Table
from tasks.stores.tables.name_index import KnownKeys, KnownNames

_LARGE = {"data", PARTS, MIDDLE}
# Images that are read at once while looking for damage; they are read one by one where that fails.
_TOGETHER = 64
_MISSING = PedigreeError("It is not in the store.")


@dataclass(frozen=True)
class ImageStore:
    """The table ``images`` of a store."""

    objects: Bucket
    checksums: Checksums

    def stored(self) -> set[str]:
        """Return the images that are stored; who asks about some of them asks for those that are lacking."""
        return self._table.numbers.names()

    def known(self) -> KnownNames:
        """Return the images that are stored now, to be asked often about a few without looking at the table again."""
        return self._table.numbers.known()

    def known_keys(self) -> KnownKeys:
        """Return the images that are stored now, for a worker, which keeps eight bytes of each for days."""
        return self._table.make_numbers().known().keys()

    def lacking(self, images: Sequence[str]) -> list[str]:
        """Return those of these images that are not stored, in their order."""
        present = self._table.numbers.contains(pa.array(images, pa.string()))
        return [images[position] for position in np.flatnonzero(~present).tolist()]

    def add(self, images: Sequence[tuple[ImageInfo, bytes]]) -> None:
        """Write new images with their bytes, or with references in place of them, in one commit."""
        if images:
            self._table.append(image_rows(images))

    def write_fragments(self, images: Sequence[tuple[ImageInfo, bytes]]) -> list[str]:
        """Write new images with their bytes, which nobody reads before ``commit_fragments`` has these lines of text."""
        return self._table.write_fragments(image_rows(images)) if images else []

    def commit_fragments(self, fragments: Sequence[str]) -> int:
        """Make written images a part of the table, in one commit; return how many rows these are."""
        return self._table.commit_fragments(fragments)

    def read_infos(self, images: Collection[str]) -> dict[str, ImageInfo]:
        """Return what was measured of those of these images that are stored."""
        found, columns = self._table.find(list(images)), [name for name in SCHEMA.names if name not in _LARGE]
        return {
            row["image"]: image_info(row)
            for batch, selection, _ in found.ascending(columns)
            for row in batch.take(pa.array(selection)).to_pylist()
        }

    def hashes(self, images: Collection[str]) -> dict[str, bytes]:
        """Return the perceptual hashes of those of these images that are stored."""
        return self._hashes(METHOD, images)

    def middles(self, images: Collection[str]) -> dict[str, bytes]:
        """Return the hash of the middle part of those of these images that have one, which older images lack."""
        return self._hashes(MIDDLE, images)

    def perceptual_hashes(self, images: pa.Array) -> pa.RecordBatch:
        """Return those of these images that are stored, sorted by name, with their perceptual hashes.

        Args:
            images: The names of images.

        Returns:
            The columns ``image`` and ``hash``.
        """
        columns = self._table.read(["image", METHOD])
        mask = pc.and_(pc.is_in(columns["image"], images), pc.is_valid(columns[METHOD]))
        stored = columns.filter(mask)
        ordered = stored.take(pc.sort_indices(stored["image"]))
        names, hashes = _in_one_piece(ordered["image"]), _in_one_piece(ordered[METHOD])
        # Of several rows of an image the first one counts; they are rare.
        first = np.ones(len(names), bool)
        first[1:] = np.asarray(pc.not_equal(names[1:], names[:-1]))
        return pa.record_batch([names, hashes], ["image", "hash"]).filter(pa.array(first))

    def middle_hashes(self, images: pa.Array) -> pa.Array:
        """Return the hash of the middle part of each of these images.

        Args:
            images: The names of images.

        Returns:
            The hashes in one piece, null for an image that has none.
        """
        columns = self._table.read(["image", MIDDLE])
        return _in_one_piece(columns[MIDDLE].take(pc.index_in(images, columns["image"].combine_chunks())))

    def parts(self, images: Sequence[str]) -> Iterator[list[tuple[str, bytes]]]:
        """Yield these images with the hashes of their parts, some at a time; empty bytes stand for images without."""
        found = self._table.find(images)
        if found.dataset is None or PARTS not in found.dataset.schema.names:
            yield [(image, b"") for image in images]
            return
        for batch, selection, _ in found.ascending(["image", PARTS]):
            names, parts = (batch[name].take(selection).to_pylist() for name in ("image", PARTS))
            yield [(image, part_hashes or b"") for image, part_hashes in zip(names, parts, strict=True)]

    def _hashes(self, column: str, images: Collection[str]) -> dict[str, bytes]:
        every = self._column(column, list(images))
        return {image: every[image] for image in images if every.get(image)}

    def formats(self, images: Collection[str]) -> dict[str, str]:
        """Return the formats of those of these images that are stored, in the order that is fastest to read."""
        return self._column("format", list(images))

    def _column(self, column: str, images: Sequence[str]) -> dict[str, Any]:
        """Return one column of these images, in the table's order; nothing where an older table lacks it."""
        found, values = self._table.find(images), dict[str, Any]()
        if found.dataset is not None and column in found.dataset.schema.names:
            for batch, selection, _ in found.ascending(["image", column]):
                names, part = (batch[name].take(pa.array(selection)).to_pylist() for name in ("image", column))
                values |= zip(names, part, strict=True)
        return values

    def read(self, images: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Read images, with a few in memory at a time.

        Args:
            images: The images.

        Yields:
            Each image with its bytes, in the order asked.

        Raises:
            PedigreeError: The bytes of an image are not what was written.
        """
        for image, data in self._stored(images):
            if isinstance(data, LostOriginalError):
                raise data
            yield image, self._checked(image, data)

    def row_numbers(self, images: Sequence[str]) -> list[int]:
        """Return the row of each of these images, and -1 for one that is not stored."""
        rows: list[int] = self._table.find(images).rows.tolist()
        return rows

    def read_rows(self, rows: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
        """Read images by their rows, without reading the names of all others.

        Args:
            rows: The images with their rows; where the table has other rows by now, images are looked up by name.

        Yields:
            Each image with its bytes, in the order asked.

        Raises:
            PedigreeError: The bytes of an image are not what was written.
        """
        waiting, found = list(rows), self._table.at(list(rows.values()))
        if found.are_within():
            for part in found.take(["image", "data"]):
                names, contents = part["image"].to_pylist(), [data or b"" for data in part["data"].to_pylist()]
                if names != waiting[: len(names)]:
                    break
                for image, data in zip(names, resolve(list(zip(names, contents, strict=True))), strict=True):
                    if isinstance(data, LostOriginalError):
                        raise data
                    yield image, self._checked(image, data)
                waiting = waiting[len(names) :]
        if waiting:
            yield from self.read(waiting)

    def read_stored(self, images: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield images with what the store keeps of each: its bytes, or the reference to an original in a source."""
        for part in self._table.take(images, ["image", "data"]):
            for image, data in zip(part["image"].to_pylist(), part["data"].to_pylist(), strict=True):
                yield image, data if data and parse_reference(data) else self._checked(image, data or b"")

    def reference(self, image: str) -> str:
        """Return where an image's bytes lie in its source, in words; empty where the store holds them, or no image."""
        found = self._table.find([image])
        stored = _alone(found, 0) if found.present().all() else b""
        return str((parse_reference(stored) if isinstance(stored, bytes) else None) or "")

    def _checked(self, image: str, data: bytes) -> bytes:
        if sha256_of_bytes(data) != image:
            raise PedigreeError(
                f"Image {image} is damaged in the store {self.objects.url}, its bytes have another SHA-256: "
                "put images.lance back from a copy of the store, or remove the image with pedigree data forget."
            )
        return data

    def _stored(self, images: Sequence[str]) -> Iterator[tuple[str, bytes | LostOriginalError]]:
        """Yield images with their bytes, which are not checked unless they come from a source."""
        for part in self._table.take(images, ["image", "data"]):
            names, contents = part["image"].to_pylist(), [data or b"" for data in part["data"].to_pylist()]
            yield from zip(names, resolve(list(zip(names, contents, strict=True))), strict=True)

    def remove(self, image: str) -> bool:
        """Remove an image's bytes for good; return False where there were none."""
        return self._table.remove(image)

    def salvage(self, images: Sequence[str]) -> Iterator[tuple[str, bytes | PedigreeError]]:
        """Yield these images with their bytes or, where they are missing or cannot be read, with the reason."""
        for start in range(0, len(images), LOOKED_UP):
            part = images[start : start + LOOKED_UP]
            found = self._table.find(part)
            present: list[int] = np.flatnonzero(found.present()).tolist()
            yield from ((image, _MISSING) for image, there in zip(part, found.present(), strict=True) if not there)
            for batch in (present[first : first + _TOGETHER] for first in range(0, len(present), _TOGETHER)):
                names = [part[index] for index in batch]
                try:
                    stored: list[bytes | PedigreeError] = [*_bytes(found, batch)]
                except PedigreeError:
                    stored = self._singly(names)
                yield from zip(names, _with_originals(names, stored), strict=True)

    def _singly(self, images: Sequence[str]) -> list[bytes | PedigreeError]:
        """Read images one by one from the table as it is by now, since another run may have removed some."""
        found = self._table.find(images)
        return [_alone(found, position) if there else _MISSING for position, there in enumerate(found.present())]

    def damage(self) -> Iterator[tuple[str, str]]:
        """Yield the path in the store of each damaged file of the table, and what is wrong."""
        return self._table.damage()

    @cached_property
    def _table(self) -> Table:
        return Table(self.objects, self.checksums, "images", SCHEMA)


def _with_originals(images: Sequence[str], stored: Sequence[bytes | PedigreeError]) -> Iterator[bytes | PedigreeError]:
    """Put originals in the place of references to them; what could not be read stays as it is."""
    pairs = [(image, data) for image, data in zip(images, stored, strict=True) if isinstance(data, bytes)]
    contents = resolve(pairs)
    return (next(contents) if isinstance(data, bytes) else data for data in stored)


def _in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return joined if isinstance(joined, pa.Array) else pa.concat_arrays(joined.chunks)


def _bytes(found: FoundRows, positions: Sequence[int]) -> list[bytes]:
    return [data or b"" for part in found.take(["data"], positions) for data in part["data"].to_pylist()]


def _alone(found: FoundRows, position: int) -> bytes | PedigreeError:
    try:
        return _bytes(found, [position])[0]
    except (ServiceUnavailableError, InaccessibleError):
        raise
    except PedigreeError as problem:
        return problem
