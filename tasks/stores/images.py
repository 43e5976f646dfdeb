"""Every image's original bytes, once, and what was measured when it was decoded."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa

from tasks.stores.tables import Table, row_numbers

_SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        ("data", pa.large_binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("phash", pa.uint64()),
    ]
)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image as it came: its name is the SHA-256 of its bytes."""

    image: str
    data: bytes
    width: int
    height: int
    format: str
    phash: int


@dataclass(frozen=True)
class ImageStore:
    """The table ``images`` of a store."""

    url: str

    def known(self) -> set[str]:
        """Name the images that the store holds."""
        return set(self._table().read(["image"])["image"].to_pylist())

    def add(self, images: Sequence[StoredImage]) -> None:
        """Keep new images, in one commit."""
        self._table().append([asdict(image) for image in images])

    def hashes(self, images: Collection[str]) -> dict[str, int]:
        """Return the perceptual hashes of those of these images that the store holds."""
        columns = self._table().read(["image", "phash"])
        every = dict(zip(columns["image"].to_pylist(), columns["phash"].to_pylist(), strict=True))
        return {image: every[image] for image in images if image in every}

    def read(self, images: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield these images with their bytes, in the order asked, a few in memory at a time."""
        table = self._table()
        numbers = row_numbers(table.read(["image"])["image"])
        for part in table.take([numbers[image] for image in images], ["image", "data"]):
            yield from zip(part["image"].to_pylist(), part["data"].to_pylist(), strict=True)

    def _table(self) -> Table:
        return Table(self.url, "images", _SCHEMA)
