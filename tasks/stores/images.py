"""Every image's original bytes, once, and what was measured when it was decoded."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from tasks.domain.duplicates import HASH_BYTES, METHOD
from tasks.domain.examination import Examined
from tasks.domain.quality import Measures
from tasks.stores.tables import Table, row_numbers

_SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        ("data", pa.large_binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        (METHOD, pa.binary(HASH_BYTES)),
        ("brightness", pa.float64()),
        ("contrast", pa.float64()),
        ("sharpness", pa.float64()),
        ("tone", pa.float64()),
    ]
)


@dataclass(frozen=True)
class ImageStore:
    """The table ``images`` of a store."""

    url: str

    def known(self) -> set[str]:
        """Name the images that the store holds."""
        return set(self._table().read(["image"])["image"].to_pylist())

    def add(self, images: Sequence[tuple[Examined, bytes]]) -> None:
        """Keep new images with their bytes, in one commit."""
        self._table().append([_row(examined, data) for examined, data in images])

    def examined(self, images: Collection[str]) -> dict[str, Examined]:
        """Return what is known about those of these images that the store holds, without their bytes."""
        wanted = set(images)
        rows = self._table().read([name for name in _SCHEMA.names if name != "data"]).to_pylist()
        return {row["image"]: _examined(row) for row in reversed(rows) if row["image"] in wanted}

    def hashes(self, images: Collection[str]) -> dict[str, bytes]:
        """Return the perceptual hashes of those of these images that the store holds."""
        columns = self._table().read(["image", METHOD])
        every = dict(zip(columns["image"].to_pylist(), columns[METHOD].to_pylist(), strict=True))
        return {image: every[image] for image in images if image in every}

    def read(self, images: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield these images with their bytes, in the order asked, a few in memory at a time."""
        table = self._table()
        numbers = row_numbers(table.read(["image"])["image"])
        for part in table.take([numbers[image] for image in images], ["image", "data"]):
            yield from zip(part["image"].to_pylist(), part["data"].to_pylist(), strict=True)

    def _table(self) -> Table:
        return Table(self.url, "images", _SCHEMA)


def _row(examined: Examined, data: bytes) -> dict[str, Any]:
    facts = asdict(examined)
    measures, phash = facts.pop("measures"), facts.pop("phash")
    return {**facts, METHOD: phash, **measures, "data": data}


def _examined(row: dict[str, Any]) -> Examined:
    measures = Measures(**{name: row.pop(name) for name in Measures.__slots__})
    return Examined(phash=row.pop(METHOD), **row, measures=measures)
