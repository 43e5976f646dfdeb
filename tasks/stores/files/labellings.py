"""Labellings: what each image of a source shows, where each label comes from, and the sources' own manifests."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.domain.datasets.image_issues import Twin
from tasks.domain.hashing import sha256_of
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.labels.label_rows import LABEL_ROWS, LabelRows, rows_hash
from tasks.domain.labels.labelled_images import Labelling
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.parquet_tables import TableKeys, read_table, write_table
from tasks.stores.objects.object_store import Bucket, ObjectChangedError


@dataclass(frozen=True)
class Labellings:
    """The files ``labels/<hash>.parquet``, which of them is a source's latest, and the contradictions in each.

    Where a labelling differs little from another one, ``<hash>.changes.parquet`` stands there instead.
    """

    objects: Bucket
    checksums: Checksums

    def write(self, labelling: Labelling, former: str = "") -> str:
        """Write a labelling under the hash of its rows.

        Args:
            labelling: What each image shows.
            former: Hash of a labelling that it may differ little from; empty where there is none.

        Returns:
            The hash.
        """
        rows = LabelRows.from_labelling(labelling)
        name = rows_hash(rows)
        former_keys = _label_keys(former) if former else None
        write_table(self.checksums, _label_keys(name), rows.to_table(), former_keys)
        return name

    def read(self, name: str) -> Labelling:
        """Return the labelling of this name; raise PedigreeError when its file is missing or damaged."""
        return self._rows(name).to_labelling()

    def rehash(self, name: str) -> str:
        """Return the hash of a labelling's rows: its name, unless they are not what was written."""
        return rows_hash(self._rows(name))

    def record_latest(self, source: str, labels: str) -> None:
        """Write down that this is the source's labelling now, unless it was the latest anyway.

        Args:
            source: Address of the source.
            labels: Hash of the labelling.
        """
        if self.latest(source) != labels:
            self.checksums.create(f"{_labellings_folder(source)}/{datetime.now(UTC).isoformat()}-{labels}", b"")

    def latest(self, source: str) -> str:
        """Return the source's latest labelling; empty where none was noted."""
        keys = [entry.key for entry in self.objects.entries(f"{_labellings_folder(source)}/")]
        return max(keys, default="").rpartition("-")[2]

    def write_twins(self, labels: str, bits: int, twins: Mapping[str, Sequence[Twin]]) -> None:
        """Write which images of a labelling are near duplicates and marked differently.

        Args:
            labels: Hash of the labelling.
            bits: The setting dataset.near_duplicate_bits that they were found with.
            twins: Pairs of images by what they are marked with, such as another label.
        """
        data = json.dumps({kind: [list(twin) for twin in pairs] for kind, pairs in twins.items()}).encode()
        self.checksums.create(_twins_key(labels, bits), data)

    def read_twins(self, labels: str, bits: int | None = None) -> Mapping[str, tuple[Twin, ...]]:
        """Return which images of a labelling are near duplicates and marked differently.

        Args:
            labels: Hash of the labelling.
            bits: The setting that they were found with; None means the last one.

        Returns:
            Pairs of images by what they are marked with; empty where nothing was kept.
        """
        keys = [entry.key for entry in self.objects.entries(f"contradictions/{labels}-")] if bits is None else []
        with suppress(ObjectChangedError):
            pairs_by_kind = json.loads(self.objects.read(max(keys, default=_twins_key(labels, bits or 0))))
            return {kind: tuple(Twin(*twin) for twin in pairs) for kind, pairs in pairs_by_kind.items()}
        return {}

    def _rows(self, name: str) -> LabelRows:
        return LabelRows.from_table(read_table(self.objects, _label_keys(name), LABEL_ROWS))


@dataclass(frozen=True)
class LabelManifests:
    """The files ``label-manifests/<hash>``: a source's own manifests, as they were when they were read."""

    objects: Bucket
    checksums: Checksums

    def write(self, source: str, entry: Entry, data: bytes) -> None:
        """Write the bytes of a source's manifest, so that its labels of that day can be read again.

        Args:
            source: Address of the source.
            entry: The manifest as it was listed.
            data: Its content.
        """
        self.checksums.create(_label_manifest(source, entry), data)

    def read(self, source: str, entry: Entry) -> bytes | None:
        """Return the bytes of a source's manifest as it was listed then.

        Args:
            source: Address of the source.
            entry: The manifest as it was listed.

        Returns:
            None where it was never read.
        """
        with suppress(ObjectChangedError):
            return self.objects.read(_label_manifest(source, entry))
        return None

    def copy_source(self, former: str, source: str, entries: Iterable[Entry]) -> None:
        """Write the manifests of a source under another address too.

        Args:
            former: The address that they are under.
            source: The other address.
            entries: What may be a manifest; what was never read as one is passed over.
        """
        names = {entry.key for entry in self.objects.entries("label-manifests/")}
        for entry in entries if names else ():
            key = _label_manifest(former, entry)
            if key in names:
                self.write(source, entry, self.objects.read(key))


def _label_keys(name: str) -> TableKeys:
    return TableKeys(f"labels/{name}.parquet", f"labels/{name}.changes.parquet")


def _label_manifest(source: str, entry: Entry) -> str:
    return f"label-manifests/{sha256_of([source, *entry.identity])}"


def _twins_key(labels: str, bits: int) -> str:
    return f"contradictions/{labels}-{bits:03}.json"


def _labellings_folder(source: str) -> str:
    return f"labellings/{sha256_of(source)[:16]}"
