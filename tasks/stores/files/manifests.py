"""Manifests and data cards of dataset versions: plain files, to be read in ten years without Pedigree."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.version_rows import VERSION_ROWS, VersionRows
from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.parquet_tables import TableKeys, encode_table, file_errors, read_table, write_table
from tasks.stores.kept import KEPT
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

_VERSION = re.compile(r"datasets/([0-9a-f]{64})/(card\.json|manifest\.parquet|changes\.parquet)")


@dataclass(frozen=True)
class Manifests:
    """The files ``datasets/<name>/manifest.parquet``: which image a dataset version holds, as what, in which split.

    Where a version differs little from another one, ``changes.parquet`` stands there instead.
    """

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

    def write(self, name: str, rows: Iterable[Row], parent: str | None = None) -> None:
        """Write a dataset version; the first one of a name stands.

        Args:
            name: Hash of the version.
            rows: Its images, in any order.
            parent: Hash of a version that it may differ little from; None means the newest.
        """
        times = {} if parent else self.versions()
        former = parent or max(times, key=times.__getitem__, default=None)
        former_keys = _manifest_keys(former) if former else None
        table = VersionRows.of(rows).in_order().to_table()
        write_table(self.checksums, _manifest_keys(name), table, former_keys)

    def read(self, name: str) -> list[Row]:
        """Return the rows of a dataset version, sorted by image; raise PedigreeError when missing or damaged."""
        return list(self._read(name))

    def columns(self, name: str) -> VersionRows:
        """Return the rows of a dataset version in columns; raise PedigreeError when missing or damaged.

        A version never changes, so this process reads it again only where its file was replaced.
        """
        keys = _manifest_keys(name)
        entries = self.objects.entries(f"datasets/{name}/")
        files = tuple((entry.key, entry.etag) for entry in entries if entry.key in {keys.whole, keys.changes})
        return KEPT.get((self.objects.url, name, files), lambda: self._read(name))

    def _read(self, name: str) -> VersionRows:
        table = self._table(name)
        with file_errors(self.objects, _manifest_keys(name).whole):
            return VersionRows.from_table(table)

    def count(self, name: str) -> tuple[int, int]:
        """Return how many images and how many classes a version has; raise PedigreeError when missing or damaged."""
        table = self._table(name)
        return table.num_rows, len(table["label"].unique())

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
        table = self._table(name)
        with file_errors(self.objects, _manifest_keys(name).whole):
            mask = pc.is_in(table["image"], pa.array(images, pa.string()))
            matching = table.filter(pc.or_(mask, pc.starts_with(table["image"], word)) if word else mask)
            return list(VersionRows.from_table(matching))

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of the whole manifest's file, for whoever downloads it."""
        return sha256_of_bytes(self._whole_file(name))

    def files(self, name: str) -> dict[str, bytes]:
        """Return the files of a dataset version by the names that its MLflow run keeps them under.

        The manifest among them is whole, so that a run's files can be read without the store.
        """
        keys = _manifest_keys(name)
        listed = {entry.key for entry in self.objects.entries(f"datasets/{name}/")} - {keys.whole, keys.changes}
        files = {f"dataset/{key.rpartition('/')[2]}": self.objects.read(key) for key in sorted(listed)}
        return files | {"dataset/manifest.parquet": self._whole_file(name)}

    def _whole_file(self, name: str) -> bytes:
        try:
            return self.objects.read(_manifest_keys(name).whole)
        except ObjectChangedError:
            return encode_table(self._table(name))

    def _table(self, name: str) -> pa.Table:
        return read_table(self.objects, _manifest_keys(name), VERSION_ROWS)


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


def _manifest_keys(name: str) -> TableKeys:
    return TableKeys(f"datasets/{name}/manifest.parquet", f"datasets/{name}/changes.parquet")


def _json(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, indent=1).encode()
