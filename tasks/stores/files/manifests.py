"""Labellings, manifests and data cards: plain files, to be read in ten years without Pedigree."""

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import PedigreeError
from tasks.domain.datasets.image_issues import Twin
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.hashing import canonical_json, sha256_of, sha256_of_bytes
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.labels.labeling import Attributes, Conflict, LabelledImage, Labelling, LocatedImage
from tasks.stores.files import checksums
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket

_ATTRIBUTES = pa.map_(pa.string(), pa.string())
_LABELS = pa.schema(
    [
        ("key", pa.string()),
        ("image", pa.string()),
        ("label", pa.string()),
        ("attributes", _ATTRIBUTES),
        ("origins", _ATTRIBUTES),
        ("problem", pa.string()),
    ]
)
_MANIFEST = pa.schema(
    [
        ("image", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("attributes", _ATTRIBUTES),
        ("key", pa.string()),
    ]
)
_VERSION = re.compile(r"datasets/([0-9a-f]{64})/(card\.json|manifest\.parquet)")
# A row's values in the order of its schema; a labelled image's are in the order of that of labels.
_Values = tuple[Any, ...]
_VALUES = attrgetter("key", "image", "label", "attributes", "origins")
# A word's member by looking it up: an enumeration's own call takes as long as all else of a row.
_SPLITS = {split.value: split for split in Split}
_UNLABELLED, _CONFLICT, _LEFT_OUT, _MISSING = "unlabelled", "conflict", "left-out", "missing"


def write_labels(url: str, labelling: Labelling) -> str:
    """Keep a labelling under the hash of its rows, and return that."""
    rows: list[_Values] = [(*_VALUES(photograph), "") for photograph in labelling.labelled]
    rows += [(*_VALUES(photograph), _LEFT_OUT) for photograph in labelling.left_out]
    rows += [(photograph.key, photograph.image, "", (), (), _UNLABELLED) for photograph in labelling.unlabelled]
    rows += [
        (key, photograph.image, label, (), (), _CONFLICT)
        for photograph in labelling.conflicts
        for label, key in photograph.claims
    ]
    rows += [(key, "", "", (), (), _MISSING) for key in labelling.missing]
    name = _hash(rows)
    _keep(url, f"labels/{name}.parquet", rows, _LABELS)
    return name


def read_labels(url: str, name: str) -> Labelling:
    """Return the labelling of this name; raise PedigreeError when its file is missing or damaged."""
    rows: defaultdict[str, list[LabelledImage]] = defaultdict(list)
    for key, image, label, attributes, origins, problem in _rows(url, f"labels/{name}.parquet", _LABELS):
        rows[problem].append(LabelledImage(key, image, label, tuple(attributes), tuple(origins)))
    conflicts: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows[_CONFLICT]:
        conflicts[row.image].append((row.label, row.key))
    return Labelling(
        labelled=tuple(rows[""]),
        unlabelled=tuple(LocatedImage(row.key, row.image) for row in rows[_UNLABELLED]),
        conflicts=tuple(Conflict(image, tuple(claims)) for image, claims in conflicts.items()),
        left_out=tuple(rows[_LEFT_OUT]),
        missing=tuple(row.key for row in rows[_MISSING]),
    )


def write_label_manifest(url: str, source: str, entry: Entry, data: bytes) -> None:
    """Keep the bytes of a source's manifest, so that its labels of that day can be read again."""
    checksums.create(url, _label_manifest(source, entry), data)


def read_label_manifest(url: str, source: str, entry: Entry) -> bytes | None:
    """Return the bytes of a source's manifest as it was listed then; None if it was never read."""
    with suppress(ObjectChangedError):
        return open_bucket(url).read(_label_manifest(source, entry))
    return None


def _label_manifest(source: str, entry: Entry) -> str:
    return f"label-manifests/{sha256_of([source, *entry.identity])}"


def labels_hash(url: str, name: str) -> str:
    """Hash the rows of a labelling again: its name, unless they are not what was written."""
    return _hash(_rows(url, f"labels/{name}.parquet", _LABELS))


def written(url: str) -> dict[str, str]:
    """Name every dataset version, also one that has lost its manifest, with its first file's time: ISO 8601 in UTC."""
    created: dict[str, str] = {}
    for entry in open_bucket(url).entries("datasets/"):
        if match := _VERSION.fullmatch(entry.key):
            created[match[1]] = min(entry.modified, created.get(match[1], entry.modified))
    return created


def write_manifest(url: str, name: str, rows: Sequence[Row]) -> None:
    """Keep a dataset version under its hash."""
    ordered = sorted(rows, key=lambda row: row.image)
    values = [(row.image, row.label, row.split.value, row.attributes, row.key) for row in ordered]
    _keep(url, f"datasets/{name}/manifest.parquet", values, _MANIFEST)


def read_manifest(url: str, name: str) -> list[Row]:
    """Return the rows of a dataset version, sorted by image; raise Problem when its file is missing or damaged."""
    key = f"datasets/{name}/manifest.parquet"
    with _sentences(url, key):
        return [
            Row(image, label, _SPLITS[split], tuple(attributes), object_key)
            for image, label, split, attributes, object_key in _rows(url, key, _MANIFEST)
        ]


def read_rows_of(url: str, name: str, images: Sequence[str], word: str) -> list[Row]:
    """Return the rows of a dataset version with one of these images, or whose image's name begins with a word.

    An empty word means none; raises PedigreeError when the manifest is missing or damaged.
    """
    key = f"datasets/{name}/manifest.parquet"
    with _sentences(url, key):
        table = _table(open_bucket(url).read(key))
        mask = pc.is_in(table["image"], pa.array(images, pa.string()))
        matching = table.filter(pc.or_(mask, pc.starts_with(table["image"], word)) if word else mask)
        return [
            Row(row["image"], row["label"], _SPLITS[row["split"]], tuple(row["attributes"]), row["key"])
            for row in matching.select(_MANIFEST.names).cast(_MANIFEST).to_pylist()
        ]


def write_card(url: str, name: str, facts: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the data card of a dataset version and its Croissant metadata; the first stand, and the card is returned."""
    checksums.create(url, f"datasets/{name}/croissant.json", _json(described))
    checksums.create(url, f"datasets/{name}/card.json", _json(facts))
    return read_card(url, name) or {}


def write_page(url: str, name: str, page: str) -> str:
    """Keep the page of a data card, the first one stands, and return its address."""
    checksums.create(url, f"datasets/{name}/card.html", page.encode())
    return f"{url.rstrip('/')}/datasets/{name}/card.html"


def replace_page(url: str, name: str, page: str) -> None:
    """Write the page of a data card anew, where a picture on it was taken back."""
    key = f"datasets/{name}/card.html"
    open_bucket(url).remove(key)
    checksums.forget(url, [key])
    write_page(url, name, page)


def manifest_sha256(url: str, name: str) -> str:
    """Hash the manifest's file itself, for whoever downloads it."""
    return sha256_of_bytes(open_bucket(url).read(f"datasets/{name}/manifest.parquet"))


def read_card(url: str, name: str) -> dict[str, Any] | None:
    """Return the data card of a dataset version, or None where its night died first; raise Problem when damaged."""
    key = f"datasets/{name}/card.json"
    if not any(open_bucket(url).entries(key)):
        return None
    with _sentences(url, key):
        card: dict[str, Any] = {**json.loads(open_bucket(url).read(key))}
        return card


def dataset_files(url: str, name: str) -> dict[str, bytes]:
    """Return the files of a dataset version by the names that its MLflow run keeps them under."""
    bucket = open_bucket(url)
    keys = [entry.key for entry in bucket.entries(f"datasets/{name}/")]
    return {f"dataset/{key.rpartition('/')[2]}": bucket.read(key) for key in keys}


def _json(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, indent=1).encode()


def _hash(labels: Iterable[_Values]) -> str:
    """Hash the canonical JSON of a list of rows, each with its values by name."""
    lines = []
    for key, image, label, attributes, origins, problem in labels:
        before, after = _common(label, tuple(attributes), tuple(origins), problem)
        lines.append(before + canonical_json(image) + b',"key":' + canonical_json(key) + after)
    return sha256_of_bytes(b"[" + b",".join(lines) + b"]")


@lru_cache(maxsize=2**14)
def _common(label: str, attributes: Attributes, origins: Attributes, problem: str) -> tuple[bytes, bytes]:
    """Write what many images have in common, and keep it: what stands before the image in JSON, and after the key."""
    before = canonical_json({"attributes": attributes, "image": 0})
    after = canonical_json({"label": label, "origins": origins, "problem": problem})
    return before.removesuffix(b"0}"), b"," + after.removeprefix(b"{")


def _keep(url: str, key: str, rows: Sequence[_Values], schema: pa.Schema) -> None:
    """Write a file, unless it is there: most nights find what a former one wrote, and need not make it again."""
    bucket = open_bucket(url)
    if not any(entry.key == key for entry in bucket.entries(key)):
        checksums.create(url, key, _parquet(rows, schema))


def _parquet(rows: Sequence[_Values], schema: pa.Schema) -> bytes:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def _rows(url: str, key: str, schema: pa.Schema) -> list[_Values]:
    with _sentences(url, key):
        table = _table(open_bucket(url).read(key)).select(schema.names).cast(schema)
        table.validate(full=True)
        # Column by column: Arrow's own way to rows takes three times as long.
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _table(data: bytes) -> pa.Table:
    # read_table() starts threads even with use_threads=False; one that still holds bytes of Python's when a short
    # command ends aborts it.
    with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True, pre_buffer=False) as file:
        return file.read(use_threads=False)


@contextmanager
def _sentences(url: str, key: str) -> Iterator[None]:
    """Say which file is missing or damaged."""
    try:
        yield
    except ObjectChangedError:
        raise PedigreeError(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise PedigreeError(f"The file {key} in {url} is damaged: put it back from a copy of the store.") from error


def record_labelling(url: str, source: str, labels: str) -> None:
    """Write down that this is the source's labelling now, unless it was the latest anyway."""
    if latest_labelling(url, source) != labels:
        checksums.create(url, f"{_labellings_folder(source)}/{datetime.now(UTC).isoformat()}-{labels}", b"")


def latest_labelling(url: str, source: str) -> str:
    """Name the source's latest labelling; empty where none was noted."""
    keys = [entry.key for entry in open_bucket(url).entries(f"{_labellings_folder(source)}/")]
    return max(keys, default="").rpartition("-")[2]


def write_twins(url: str, labels: str, bits: int, twins: Mapping[str, Sequence[Twin]]) -> None:
    """Keep which images of a labelling are near duplicates and marked differently, by what they are marked with."""
    data = json.dumps({kind: [list(twin) for twin in pairs] for kind, pairs in twins.items()}).encode()
    checksums.create(url, _twins(labels, bits), data)


def read_twins(url: str, labels: str, bits: int | None = None) -> Mapping[str, tuple[Twin, ...]]:
    """Return what was kept of a labelling with this setting, or with the last one; nothing where nothing was."""
    bucket = open_bucket(url)
    keys = [entry.key for entry in bucket.entries(f"contradictions/{labels}-")] if bits is None else []
    with suppress(ObjectChangedError):
        pairs_by_kind = json.loads(bucket.read(max(keys, default=_twins(labels, bits or 0))))
        return {kind: tuple(Twin(*twin) for twin in pairs) for kind, pairs in pairs_by_kind.items()}
    return {}


def _twins(labels: str, bits: int) -> str:
    return f"contradictions/{labels}-{bits:03}.json"


def _labellings_folder(source: str) -> str:
    return f"labellings/{sha256_of(source)[:16]}"
