"""Manifests and data cards of dataset versions: plain files, to be read in ten years without Pedigree."""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

_MANIFEST = pa.schema(
    [
        ("image", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("key", pa.string()),
    ]
)
_VERSION = re.compile(r"datasets/([0-9a-f]{64})/(card\.json|manifest\.parquet)")
# Members by their values: an enumeration's own call takes as long as the rest of a row.
_SPLITS = {split.value: split for split in Split}
#: A row's values in the order of its schema.
Values = tuple[Any, ...]


@dataclass(frozen=True)
class Manifests:
    """The files ``datasets/<name>/manifest.parquet``: which image a dataset version holds, as what, in which split."""

    objects: Bucket
    checksums: Checksums

    def versions(self) -> dict[str, str]:
        """Return every dataset version, also one that has lost its manifest, with the time of its first file.

        Returns:
            ISO 8601 in UTC by the version's hash.
        """
        created: dict[str, str] = {}
        for entry in self.objects.entries("datasets/"):
            if match := _VERSION.fullmatch(entry.key):
                created[match[1]] = min(entry.modified, created.get(match[1], entry.modified))
        return created

    def write(self, name: str, rows: Sequence[Row]) -> None:
        """Write a dataset version; the first one of a name stands.

        Args:
            name: Hash of the version.
            rows: Its images, in any order.
        """
        ordered = sorted(rows, key=lambda row: row.image)
        values = [(row.image, row.label, row.split.value, row.attributes, row.key) for row in ordered]
        write_rows(self.checksums, _manifest_key(name), values, _MANIFEST)

    def read(self, name: str) -> list[Row]:
        """Return the rows of a dataset version, sorted by image; raise PedigreeError when missing or damaged."""
        key = _manifest_key(name)
        with file_errors(self.objects, key):
            return [
                Row(image, label, _SPLITS[split], tuple(attributes), object_key)
                for image, label, split, attributes, object_key in read_rows(self.objects, key, _MANIFEST)
            ]

    def find_rows(self, name: str, images: Sequence[str], word: str) -> list[Row]:
        """Return the rows of a dataset version with one of these images, or whose image's name begins with a word.

        Args:
            name: Hash of the version.
            images: Names of images.
            word: The beginning of an image's name; empty for none.

        Returns:
            The rows in the order of the manifest.

        Raises:
            PedigreeError: The manifest is missing or damaged.
        """
        key = _manifest_key(name)
        with file_errors(self.objects, key):
            table = _table(self.objects.read(key))
            mask = pc.is_in(table["image"], pa.array(images, pa.string()))
            matching = table.filter(pc.or_(mask, pc.starts_with(table["image"], word)) if word else mask)
            return [
                Row(row["image"], row["label"], _SPLITS[row["split"]], tuple(row["attributes"]), row["key"])
                for row in matching.select(_MANIFEST.names).cast(_MANIFEST).to_pylist()
            ]

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of the manifest's file itself, for whoever downloads it."""
        return sha256_of_bytes(self.objects.read(_manifest_key(name)))

    def files(self, name: str) -> dict[str, bytes]:
        """Return the files of a dataset version by the names that its MLflow run keeps them under."""
        keys = [entry.key for entry in self.objects.entries(f"datasets/{name}/")]
        return {f"dataset/{key.rpartition('/')[2]}": self.objects.read(key) for key in keys}


@dataclass(frozen=True)
class DataCards:
    """The files ``card.json``, ``croissant.json`` and ``card.html`` beside each manifest."""

    objects: Bucket
    checksums: Checksums

    def write(self, name: str, facts: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
        """Write the data card of a dataset version and its Croissant metadata; the first of each stands.

        Args:
            name: Hash of the version.
            facts: What the card says.
            described: The Croissant metadata.

        Returns:
            The card that stands.
        """
        self.checksums.create(f"datasets/{name}/croissant.json", _json(described))
        self.checksums.create(f"datasets/{name}/card.json", _json(facts))
        return self.read(name) or {}

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the data card of a dataset version.

        Args:
            name: Hash of the version.

        Returns:
            None where its run died before it wrote one.

        Raises:
            PedigreeError: The file is damaged.
        """
        key = f"datasets/{name}/card.json"
        if not any(self.objects.entries(key)):
            return None
        with file_errors(self.objects, key):
            card: dict[str, Any] = {**json.loads(self.objects.read(key))}
            return card

    def write_page(self, name: str, page: str) -> str:
        """Write the page of a data card and return its address; the first one stands.

        Args:
            name: Hash of the version.
            page: HTML.

        Returns:
            The address of the page that stands.
        """
        self.checksums.create(f"datasets/{name}/card.html", page.encode())
        return f"{self.objects.url.rstrip('/')}/datasets/{name}/card.html"

    def replace_page(self, name: str, page: str) -> None:
        """Write the page of a data card anew, where a picture on it was taken back.

        Args:
            name: Hash of the version.
            page: HTML.
        """
        key = f"datasets/{name}/card.html"
        self.objects.remove(key)
        self.checksums.forget([key])
        self.write_page(name, page)


def write_rows(checksums: Checksums, key: str, rows: Sequence[Values], schema: pa.Schema) -> None:
    """Write rows to a Parquet file, unless it is there: most runs find what a former one wrote.

    Args:
        checksums: The way into the store.
        key: The file's path in the store.
        rows: Values in the order of the schema.
        schema: Names and types of the columns.
    """
    if not any(entry.key == key for entry in checksums.objects.entries(key)):
        checksums.create(key, _parquet(rows, schema))


def read_rows(objects: Bucket, key: str, schema: pa.Schema) -> list[Values]:
    """Return the rows of a Parquet file; raise PedigreeError where it is missing or damaged.

    Args:
        objects: The store's files.
        key: The file's path in the store.
        schema: Names and types of the columns.

    Returns:
        Values in the order of the schema.
    """
    with file_errors(objects, key):
        table = _table(objects.read(key)).select(schema.names).cast(schema)
        table.validate(full=True)
        # Column by column: Arrow's own way to rows takes three times as long.
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


@contextmanager
def file_errors(objects: Bucket, key: str) -> Iterator[None]:
    """Raise PedigreeError that says which file is missing or damaged, where reading it raises anything.

    Args:
        objects: The store's files.
        key: The file's path in the store.

    Yields:
        Nothing.

    Raises:
        PedigreeError: The file is missing or damaged.
    """
    url = objects.url
    try:
        yield
    except ObjectChangedError:
        raise PedigreeError(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise PedigreeError(f"The file {key} in {url} is damaged: put it back from a copy of the store.") from error


def _manifest_key(name: str) -> str:
    return f"datasets/{name}/manifest.parquet"


def _json(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, indent=1).encode()


def _parquet(rows: Sequence[Values], schema: pa.Schema) -> bytes:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def _table(data: bytes) -> pa.Table:
    # read_table() starts threads even with use_threads=False; one that still holds bytes of Python's when a short
    # command ends aborts it.
    with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True, pre_buffer=False) as file:
        return file.read(use_threads=False)
